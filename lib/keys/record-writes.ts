/** Writing one key's record while others may write the same record. */
import { Problem } from '../errors.ts';
import type { GuardsView } from '../guards/guards.ts';
import { readGuards } from '../guards/stored-guards.ts';
import type { UserId } from '../identity/user-id.ts';
import type { CallStart } from '../kv/erasure.ts';
import { type Kv, storeUnavailable } from '../kv/kv.ts';
import { combineQueries } from '../kv/query.ts';
import { MAX_STATUS_TRIES } from '../limits.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { Deletions } from '../vault/deletions.ts';
import { type KeyRecord, type KeyStatus, parseStoredRecord, type StoredRecord } from '../vault/key-record.ts';
import { readRecords, replaceRecord, saveRecord } from '../vault/records.ts';

/** A stored key, and the guards that are in force for it. */
export type Saved = {
  readonly record: KeyRecord;
  /** No record was stored for this provider before. */
  readonly isNew: boolean;
  readonly lastUsedAt: string | undefined;
  readonly guards: ReadonlyMap<ProviderId, GuardsView>;
};

/**
 * Stores a sealed key as the next version of its record. Of two simultaneous saves both are acknowledged and the later
 * one is stored.
 *
 * @throws Problem `account_erased` when the user was erased since `start`, `key_deleted` when the key was deleted since
 *   `deletions` were read, `deployment_outdated` when the key is sealed under a retired master key,
 *   `store_unavailable`. Nothing is stored then.
 */
export async function saveKey(
  kv: Kv,
  user: UserId,
  provider: ProviderId,
  sealed: Pick<KeyRecord, 'jwe' | 'hint' | 'status'>,
  context: { readonly at: Date; readonly start: CallStart; readonly deletions: Deletions },
): Promise<Saved> {
  const [saved, guards] = await kv.run(
    combineQueries(saveRecord(user, provider, sealed, context), readGuards(user, [provider], context.at)),
  );
  if (saved === 'erased') throw new Problem('account_erased');
  if (saved === 'deleted') throw new Problem('key_deleted');
  if (saved === 'retired') throw new Problem('deployment_outdated');
  const { record } = parseStoredRecord(saved.text);
  if (record === undefined) throw storeUnavailable('store_answer_unexpected', 2);
  return { record, isNew: saved.isNew, lastUsedAt: saved.lastUsedAt, guards };
}

/**
 * Gives the key that `used` held a status, by compare-and-set, tried again. A key saved meanwhile keeps its own status,
 * a deleted key stays deleted, and the same key resealed meanwhile takes this one.
 *
 * @throws Problem `store_unavailable`.
 */
export async function writeStatus(
  kv: Kv,
  user: UserId,
  provider: ProviderId,
  used: { readonly text: string; readonly record: KeyRecord },
  status: KeyStatus,
): Promise<void> {
  const { version, updatedAt } = used.record;
  let { text, record }: StoredRecord = used;
  for (let tries = 0; tries < MAX_STATUS_TRIES; tries += 1) {
    if (record?.version !== version || record.updatedAt !== updatedAt || record.status === status) return;
    const outcome = await kv.run(replaceRecord(user, provider, text, { ...record, status }));
    if (outcome === 'replaced') return;
    const current = (await kv.run(readRecords(user, [provider]))).get(provider);
    if (current === undefined) return;
    ({ text, record } = current);
  }
}
