import type { ProviderId } from '../providers/catalogue.ts';
import { openKey, sealKey } from '../vault/envelope.ts';
import type { KeyRecord } from '../vault/key-record.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import type { FoundRecord } from './found-records.ts';

/**
 * What is to be done with a record.
 * - `current`: sealed under the ring's current master key; not opened.
 * - `old`: opens with another key of the ring; `resealed` is the same record under the current one.
 * - `keyGone`: names a key that is not on the ring.
 * - `unknownProvider`: sealed for a provider that this catalogue does not have, perhaps a newer deployment's.
 * - `unreadable`: damaged, or does not open with the key it names.
 */
export type Verdict =
  | { readonly is: 'current' | 'keyGone' | 'unknownProvider'; readonly kid: string }
  | {
      readonly is: 'old';
      readonly kid: string;
      readonly provider: ProviderId;
      /** Undefined when it was only to be judged. */
      readonly resealed: KeyRecord | undefined;
    }
  | { readonly is: 'unreadable' };

/** Seals anew, if it is to, in memory. Everything but the envelope stays as it is: the user changed nothing. */
export async function judgeRecord(ring: KeyRing, found: FoundRecord, reseal: boolean): Promise<Verdict> {
  const { user, provider, record, kid } = found;
  if (record === undefined || kid === undefined) return { is: 'unreadable' };
  if (kid === ring.currentKid) return { is: 'current', kid };
  if (!ring.kids.has(kid)) return { is: 'keyGone', kid };
  if (provider === undefined) return { is: 'unknownProvider', kid };
  const binding = { user, provider };
  const key = await openKey(ring, binding, record.jwe).catch(() => undefined);
  if (key === undefined) return { is: 'unreadable' };
  const resealed = reseal ? { ...record, jwe: await sealKey(ring, binding, key) } : undefined;
  return { is: 'old', kid, provider, resealed };
}
