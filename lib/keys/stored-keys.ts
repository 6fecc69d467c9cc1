/** A user's keys with what may be shown of each: opened once, for as long as one call takes. */
import type { UserId } from '../identity/user-id.ts';
import type { LocalKeys } from '../local/local-keys.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { Secret } from '../secret.ts';
import type { Bundle, BundleEntry } from '../vault/records.ts';
import { openKey } from '../vault/envelope.ts';
import type { KeyRecord } from '../vault/key-record.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import { describeFileKey, describeRecord, describeUnreadable, type KeyMetadata } from './key-metadata.ts';

export type HeldKey = {
  readonly metadata: KeyMetadata;
  /** Undefined when the stored key does not open. */
  readonly key: Secret | undefined;
  /** The record the key was opened from, and its very text for compare-and-set. */
  readonly stored?: { readonly text: string; readonly record: KeyRecord };
};

export type HoldKeys = (
  user: UserId,
  providers: readonly ProviderId[],
  bundle: Bundle,
) => Promise<readonly HeldKey[]>;

/**
 * Those of `providers` that have a key, in that order. One damaged record does not hide the others. In local mode a
 * key in `.env` comes before a stored one.
 */
export function createHoldKeys(ring: KeyRing, localKeys?: LocalKeys): HoldKeys {
  const holdStored = async (user: UserId, provider: ProviderId, entry: BundleEntry): Promise<HeldKey> => {
    const { record, lastUsedAt } = entry;
    const key = record && (await openKey(ring, { user, provider }, record.jwe).catch(() => undefined));
    if (record === undefined || key === undefined)
      return { metadata: describeUnreadable(provider, entry), key: undefined };
    const stored = { text: entry.text, record };
    return { metadata: describeRecord(provider, record, lastUsedAt), key, stored };
  };

  return async (user, providers, bundle) => {
    const fromFile = await localKeys?.read(providers);
    const held = providers.map(async (provider) => {
      const entry = bundle.get(provider);
      const stored = entry && (await holdStored(user, provider, entry));
      return fromFile === undefined ? stored : besideFile(provider, stored, fromFile.get(provider));
    });
    return (await Promise.all(held)).filter((key) => key !== undefined);
  };
}

/** Which of two keys is in use, and where it is. */
function besideFile(
  provider: ProviderId,
  stored: HeldKey | undefined,
  fileKey: Secret | undefined,
): HeldKey | undefined {
  if (fileKey === undefined)
    return stored && { ...stored, metadata: { ...stored.metadata, envFile: 'kv-only' } };
  if (stored?.key?.reveal() === fileKey.reveal()) {
    return { ...stored, metadata: { ...stored.metadata, envFile: 'written' } };
  }
  return { metadata: describeFileKey(provider, fileKey), key: fileKey };
}
