/**
 * One line of a user's audit log. Every field is an id of ours, a word of a fixed list, a number, or a model's name
 * of letters, digits and a few signs: no input can make a line, a field or a look-alike of one.
 */
import { z } from 'zod';
import { problemCodes } from '../errors.ts';
import { providerIds } from '../providers/catalogue.ts';
import { modelName } from '../usage/model-name.ts';

const actions = [
  'save',
  'replace',
  'check',
  'delete',
  'delete_all',
  'reveal',
  'guard',
  'use',
  'rotate',
] as const;
export type AuditAction = (typeof actions)[number];

/** The way a key was used: through which route, or by code of the operator's. */
const routes = ['gateway', 'generate', 'search', 'code'] as const;
export type AuditRoute = (typeof routes)[number];

const whole = z.coerce.number().int().nonnegative();

export const auditEntry = z.object({
  /** When the call began, RFC 3339. */
  time: z.iso.datetime(),
  action: z.enum(actions),
  route: z.enum(routes).nullable(),
  provider: z.enum(providerIds).nullable(),
  /** `ok`, or the code of the problem that the caller was answered with, or would have been on our own routes. */
  outcome: z.enum(['ok', ...problemCodes]),
  /** The HTTP status of the answer; null where there was none. */
  status: whole.nullable(),
  /** Until the last byte of the answer. */
  durationMs: whole,
  requestId: z.uuid().nullable(),
  model: modelName.nullable(),
  inputTokens: whole.nullable(),
  outputTokens: whole.nullable(),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/** The names of the fields, in the order in which they are stored and shown. */
export const auditFields = auditEntry.keyof().options;
