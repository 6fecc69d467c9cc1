/** Writing down what a provider said about a stored key. */
import type { UserId } from '../identity/user-id.ts';
import type { Kv } from '../kv/kv.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { readBundle, replaceRecord } from './records.ts';
import type { KeyRecord, KeyStatus, StoredRecord } from './key-record.ts';

/** How often it tries again while others write the same record. */
const TRIES = 8;

/**
 * Gives the key that `used` held its status, by compare-and-set. A key saved in between has its own status and
 * stays as it is; the same key sealed anew takes this one.
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
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (record?.version !== version || record.updatedAt !== updatedAt) return;
    if (await kv.ask(replaceRecord(user, provider, text, { ...record, status }))) return;
    const now = (await kv.ask(readBundle(user, [provider]))).get(provider);
    if (now === undefined) return;
    ({ text, record } = now);
  }
}
