/**
 * One entry of a user's audit log: a call, or equal refusals of one hour. Every field is an id we made, a value from a fixed list, a number, or a model name
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

/**
 * What changes a key, its limits or where it is readable, and what reseals it. Calls that did one of these are kept
 * apart from the others, so that no number of calls removes them from the log.
 */
const securityActions: ReadonlySet<AuditAction> = new Set([
  'save',
  'replace',
  'delete',
  'delete_all',
  'reveal',
  'guard',
  'rotate',
]);

/** Whether an entry tells of a change that was made, and not of a use or of a refused attempt. */
export function isSecurityEvent({ action, outcome }: Pick<AuditEntry, 'action' | 'outcome'>): boolean {
  return outcome === 'ok' && securityActions.has(action);
}

const wholeNumber = z.coerce.number().int().nonnegative();

export const auditEntry = z.object({
  /** When the call began, RFC 3339. Of several refusals: the last. */
  time: z.iso.datetime(),
  action: z.enum(actions),
  route: z.enum(routes).nullable(),
  provider: z.enum(providerIds).nullable(),
  /**
   * `ok`, or a problem code. On the gateway, a provider's error maps to the code that our own routes would return.
   * `interrupted`: the call used a key and its end was never recorded.
   */
  outcome: z.enum(['ok', 'interrupted', ...problemCodes]),
  /** The HTTP status of the response; null when there was none. */
  status: wholeNumber.nullable(),
  /** From the start of the call to the last byte of the response; null when the call was interrupted. */
  durationMs: wholeNumber.nullable(),
  requestId: z.uuid().nullable(),
  model: modelName.nullable(),
  inputTokens: wholeNumber.nullable(),
  outputTokens: wholeNumber.nullable(),
  /** How many refusals the entry stands for. The other fields are those of the last one. */
  count: wholeNumber.positive().default(1),
  /** When the first of several refusals began; null for a single call. */
  since: z.iso.datetime().nullable().default(null),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/** The field names, in the order in which they are stored and shown. */
export const auditFields = auditEntry.keyof().options;
