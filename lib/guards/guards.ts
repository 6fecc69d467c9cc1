/** What a user allows one of their keys to be used for. Only the key's owner sets it, and the server enforces it. */
import { z } from 'zod';
import { MAX_CALLS_PER_DAY, MAX_MODELS } from '../limits.ts';
import { modelName } from '../usage/model-name.ts';

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

/** `PATCH /api/keys/{provider}`: a member that is absent stays as it is, `null` removes the guard. */
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
