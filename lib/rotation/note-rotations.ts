/** The rotation in the audit logs of those whose records it has sealed anew. */
import { type AuditBounds, appendAudit } from '../audit/audit-log.ts';
import type { UserId } from '../identity/user-id.ts';
import { askAll } from '../kv/ask-all.ts';
import { callStart } from '../kv/erasure.ts';
import type { Kv } from '../kv/kv.ts';
import { lateWrites } from '../kv/deferred-writes.ts';
import type { ProviderId } from '../providers/catalogue.ts';

/** In one KV request, after the records are written. An entry that is lost stops nothing. */
export async function noteRotations(
  kv: Kv,
  records: readonly { readonly user: UserId; readonly provider: ProviderId }[],
  { at, bounds }: { readonly at: Date; readonly bounds: AuditBounds },
): Promise<void> {
  const entry = {
    time: at.toISOString(),
    action: 'rotate',
    outcome: 'ok',
    durationMs: 0,
    ...{ route: null, status: null, requestId: null, model: null, inputTokens: null, outputTokens: null },
  } as const;
  const asks = records.map(async ({ user, provider }) =>
    lateWrites(await callStart(user, at), [appendAudit(user, [{ ...entry, provider }], bounds, at)]),
  );
  if (asks.length > 0) await kv.ask(askAll(await Promise.all(asks))).catch(() => undefined);
}
