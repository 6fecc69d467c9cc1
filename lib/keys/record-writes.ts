/** Writing one key's record while others may write the same record: by compare-and-set, tried again. */
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import type { CallStart } from '../kv/erasure.ts';
import { type Kv, storeUnavailable } from '../kv/kv.ts';
import { MAX_SAVE_TRIES, MAX_STATUS_TRIES } from '../limits.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { KeyRecord, KeyStatus, StoredRecord } from '../vault/key-record.ts';
import { type RecordEntry, readRecords, replaceRecord } from '../vault/records.ts';

/**
 * Stores a sealed key as the next version of its record. Of two simultaneous saves both are acknowledged and the later
 * one is stored.
 *
 * @throws Problem `account_erased` when the user was erased since `start`, `deployment_outdated` when the key is sealed
 *   under a retired master key, `store_unavailable`. Nothing is stored then.
 */
export async function saveRecord(
  kv: Kv,
  user: UserId,
  provider: ProviderId,
  sealed: Pick<KeyRecord, 'jwe' | 'hint' | 'status'>,
  { former, start, clock }: SaveContext,
): Promise<{ readonly record: KeyRecord; readonly former: RecordEntry | undefined }> {
  let current = former;
  for (let tries = 0; tries < MAX_SAVE_TRIES; tries += 1) {
    const now = clock().toISOString();
    const record: KeyRecord = {
      v: 1,
      ...sealed,
      version: (current?.record?.version ?? 0) + 1,
      createdAt: current?.record?.createdAt ?? now,
      updatedAt: now,
    };
    const outcome = await kv.run(replaceRecord(user, provider, current?.text, record, start));
    if (outcome === 'erased') throw new Problem('account_erased');
    if (outcome === 'retired') throw new Problem('deployment_outdated');
    if (outcome === 'replaced') return { record, former: current };
    current = (await kv.run(readRecords(user, [provider]))).get(provider);
  }
  throw storeUnavailable('store_write_contended', 1);
}

type SaveContext = {
  /** The record as it was read last. */
  readonly former: RecordEntry | undefined;
  readonly start: CallStart;
  readonly clock: () => Date;
};

/**
 * Gives the key that `used` held a status. A key saved meanwhile keeps its own status; the same key resealed meanwhile
 * takes this one.
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
    if (record?.version !== version || record.updatedAt !== updatedAt) return;
    const outcome = await kv.run(replaceRecord(user, provider, text, { ...record, status }));
    if (outcome === 'replaced') return;
    const current = (await kv.run(readRecords(user, [provider]))).get(provider);
    if (current === undefined) return;
    ({ text, record } = current);
  }
}
