/** The master keys, in memory, as non-extractable `CryptoKey`s. Nothing else touches them. */

import type { UserId } from '../identity/user-id.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import type { Secret } from '../secret.ts';
import { type MasterKey, parseMasterKeys } from './master-keys.ts';

/** What a record is bound to. Both come from the verified request, never from the record. */
export type Binding = { readonly user: UserId; readonly provider: ProviderId };

export type KeyRing = {
  /** The `kid` that new records are sealed under. */
  readonly currentKid: string;
  readonly kids: ReadonlySet<string>;
  /**
   * The content-encryption key of one user and one provider under one master key: HKDF-SHA-256 (RFC 5869)
   * with the length-prefixed user and provider as info. Undefined for a `kid` that is not on the ring.
   */
  deriveKey(kid: string, binding: Binding): Promise<CryptoKey | undefined>;
};

const DOMAIN = 'userkeys/record/1';
const NO_SALT = new Uint8Array();

/**
 * Imports the master keys once: those a KMS has `unwrapped`, then those of a well-formed `VAULT_KEYS`, which is
 * empty when there are only the former. The first of all seals.
 *
 * @throws Error with a fixed text.
 */
export async function createKeyRing(
  vaultKeys: Secret,
  unwrapped: readonly MasterKey[] = [],
): Promise<KeyRing> {
  const plain = vaultKeys.reveal() === '' && unwrapped.length > 0 ? [] : parseMasterKeys(vaultKeys.reveal());
  const masterKeys = [...unwrapped, ...plain];
  const [first] = masterKeys;
  if (first === undefined) throw new Error('is empty');
  if (new Set(masterKeys.map(({ kid }) => kid)).size < masterKeys.length)
    throw new Error('names the same kid twice');
  const imported = await Promise.all(
    masterKeys.map(
      async ({ kid, bytes }) =>
        [
          kid,
          await crypto.subtle.importKey('raw', new Uint8Array(bytes), 'HKDF', false, ['deriveKey']),
        ] as const,
    ),
  );
  const ring: ReadonlyMap<string, CryptoKey> = new Map(imported);
  return {
    currentKid: first.kid,
    kids: new Set(ring.keys()),
    async deriveKey(kid, binding) {
      const masterKey = ring.get(kid);
      if (masterKey === undefined) return undefined;
      return crypto.subtle.deriveKey(
        { name: 'HKDF', hash: 'SHA-256', salt: NO_SALT, info: encodeBinding(binding) },
        masterKey,
        { name: 'AES-GCM', length: 256 },
        false,
        ['encrypt', 'decrypt'],
      );
    },
  };
}

/** Each part behind its length in bytes, so that no two bindings share an encoding. */
function encodeBinding({ user, provider }: Binding): Uint8Array<ArrayBuffer> {
  const parts = [DOMAIN, user, provider].map((part) => new TextEncoder().encode(part));
  return new Uint8Array(parts.flatMap((part) => [part.length >> 8, part.length & 0xff, ...part]));
}
