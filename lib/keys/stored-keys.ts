/** A user's stored keys, opened for the length of one call, with what the user may see of each. */
import { Problem, type Reason } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import type { LocalKeys } from '../local/local-keys.ts';
import { log } from '../log.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { Secret } from '../secret.ts';
import { openKey } from '../vault/envelope.ts';
import type { KeyRecord } from '../vault/key-record.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import type { RecordEntry, Records } from '../vault/records.ts';
import { describeFileKey, describeRecord, describeUnreadable, type KeyMetadata } from './key-metadata.ts';

export type StoredKey = {
  readonly metadata: KeyMetadata;
  /** Undefined when the stored key does not open. */
  readonly key: Secret | undefined;
  /** The record the key was opened from, and its exact text for compare-and-set. */
  readonly stored?: { readonly text: string; readonly record: KeyRecord };
};

type KeySources = { readonly ring: KeyRing; readonly localKeys: LocalKeys | undefined };

/**
 * Those of `providers` that have a key, in that order. One damaged record does not hide the others; the log says why
 * it does not open. In local mode a key in `.env` comes before a stored one.
 */
export async function openStoredKeys(
  { ring, localKeys }: KeySources,
  user: UserId,
  providers: readonly ProviderId[],
  records: Records,
): Promise<readonly StoredKey[]> {
  const fileKeys = await localKeys?.read(providers);
  const keys = providers.map(async (provider) => {
    const entry = records.get(provider);
    const stored = entry && (await openEntry(ring, user, provider, entry));
    return fileKeys === undefined ? stored : preferFileKey(provider, stored, fileKeys.get(provider));
  });
  return (await Promise.all(keys)).filter((key) => key !== undefined);
}

async function openEntry(
  ring: KeyRing,
  user: UserId,
  provider: ProviderId,
  entry: RecordEntry,
): Promise<StoredKey> {
  const { text, record } = entry;
  const unreadable = (reason: Reason): StoredKey => {
    log({ level: 'warn', event: 'key_unreadable', provider, reason });
    return { metadata: describeUnreadable(provider, entry), key: undefined };
  };
  if (record === undefined) return unreadable('record_malformed');
  try {
    const key = await openKey(ring, { user, provider }, record.jwe);
    return { metadata: describeRecord(provider, record, entry.lastUsedAt), key, stored: { text, record } };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return unreadable(error.reason);
  }
}

/** The key that is in use, and where it is kept. */
function preferFileKey(
  provider: ProviderId,
  stored: StoredKey | undefined,
  fileKey: Secret | undefined,
): StoredKey | undefined {
  if (fileKey === undefined)
    return stored && { ...stored, metadata: { ...stored.metadata, envFile: 'kv-only' } };
  if (stored?.key?.reveal() === fileKey.reveal()) {
    return { ...stored, metadata: { ...stored.metadata, envFile: 'written' } };
  }
  return { metadata: describeFileKey(provider, fileKey), key: fileKey };
}
