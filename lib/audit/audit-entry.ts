/**
 * One entry of a user's audit log. Every field is an id we made, a value from a fixed list, a number, or a model name
 * with a restricted character set, so no input can forge an entry or a field.
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

/** How a key was used: through one of these routes, or by the operator's own code. */
const routes = ['gateway', 'generate', 'search', 'code'] as const;
export type AuditRoute = (typeof routes)[number];

const wholeNumber = z.coerce.number().int().nonnegative();

export const auditEntry = z.object({
  /** When the call began, RFC 3339. */
  time: z.iso.datetime(),
  action: z.enum(actions),
  route: z.enum(routes).nullable(),
  provider: z.enum(providerIds).nullable(),
  /** `ok`, or a problem code. On the gateway, a provider's error maps to the code that our own routes would return. */
  outcome: z.enum(['ok', ...problemCodes]),
  /** The HTTP status of the response; null when there was none. */
  status: wholeNumber.nullable(),
  /** From the start of the call to the last byte of the response. */
  durationMs: wholeNumber,
  requestId: z.uuid().nullable(),
  model: modelName.nullable(),
  inputTokens: wholeNumber.nullable(),
  outputTokens: wholeNumber.nullable(),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/** The field names, in the order in which they are stored and shown. */
export const auditFields = auditEntry.keyof().options;
