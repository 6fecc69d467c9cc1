/** What a user lets one of their keys be used for. The server holds them to it; nobody else sets it. */
import { z } from 'zod';
import { modelName } from '../usage/model-name.ts';

const MAX_CALLS_PER_DAY = 1_000_000;
const MAX_MODELS = 50;

export type Guards = {
  readonly isPaused: boolean;
  /** From this moment on the key is not used. */
  readonly expiresAt: Date | undefined;
  /** The models it may be used for; undefined: any. */
  readonly models: readonly string[] | undefined;
  readonly callsPerDay: number | undefined;
};

/** The guards of a key as its owner sees them. */
export const guardsView = z.object({
  paused: z.boolean(),
  expiresAt: z.string().nullable(),
  models: z.array(z.string()).readonly().nullable(),
  callsPerDay: z.int().nullable(),
  /** Since midnight UTC. */
  callsToday: z.int(),
});
export type GuardsView = z.infer<typeof guardsView>;

/** `PATCH /api/keys/{provider}`: members that are absent stay, `null` takes a guard away. */
export const guardsPatch = z.strictObject({
  guards: z.strictObject({
    paused: z.boolean().optional(),
    expiresAt: z.iso
      .datetime({ offset: true, error: 'must be a time in RFC 3339, such as 2027-01-31T00:00:00Z' })
      .nullable()
      .optional(),
    models: z
      .array(modelName)
      .min(1, 'must name a model; null allows every model')
      .max(MAX_MODELS, `must have at most ${MAX_MODELS} models`)
      .nullable()
      .optional(),
    callsPerDay: z
      .int('must be a whole number')
      .min(0, 'must not be negative')
      .max(MAX_CALLS_PER_DAY, `must be at most ${MAX_CALLS_PER_DAY}`)
      .nullable()
      .optional(),
  }),
});
export type GuardsPatch = z.infer<typeof guardsPatch>['guards'];
