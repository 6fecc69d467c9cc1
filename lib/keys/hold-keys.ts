/** A user's keys with what may be shown of each: opened once, for as long as one call takes. */
import type { UserId } from '../identity/user-id.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { Secret } from '../secret.ts';
import type { Bundle, BundleEntry } from '../vault/bundle.ts';
import { openKey } from '../vault/envelope.ts';
import type { KeyRecord } from '../vault/key-record.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import { describeRecord, describeUnreadable, type KeyMetadata } from './key-metadata.ts';

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

/** Those of `providers` that have a key, in that order. One damaged record does not hide the others. */
export function createHoldKeys(ring: KeyRing): HoldKeys {
  const hold = async (user: UserId, provider: ProviderId, entry: BundleEntry): Promise<HeldKey> => {
    const { record, lastUsedAt } = entry;
    const key = record && (await openKey(ring, { user, provider }, record.jwe).catch(() => undefined));
    if (record === undefined || key === undefined)
      return { metadata: describeUnreadable(provider, entry), key: undefined };
    const stored = { text: entry.text, record };
    return { metadata: describeRecord(provider, record, lastUsedAt), key, stored };
  };
  return async (user, providers, bundle) =>
    Promise.all(
      providers.flatMap((provider) => {
        const entry = bundle.get(provider);
        return entry === undefined ? [] : [hold(user, provider, entry)];
      }),
    );
}
