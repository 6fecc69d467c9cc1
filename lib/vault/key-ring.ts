/** The master keys, in memory, as non-extractable `CryptoKey`s. Only this folder handles them. */
import { ConfigError } from '../errors.ts';
import { splitUserId, type UserId } from '../identity/user-id.ts';
import { assertUniqueKids, type MasterKey, parseMasterKeys } from './master-keys.ts';
import type { VaultSettings } from './vault-settings.ts';
import { type UnwrapKeys, WrappedKeysError } from './wrapped-keys.ts';

/**
 * What a record is bound to. Both come from the verified request, never from the record. `provider` is a provider's id;
 * the migration also seals records of providers that this catalogue does not have.
 */
export type Binding = { readonly user: UserId; readonly provider: string };

/** What a record was bound to before users had a tenant. `provider`: the field of the record, known here or not. */
export type LegacyBinding = { readonly sub: string; readonly provider: string };

export type KeyRing = {
  /** The `kid` under which new records are sealed. */
  readonly currentKid: string;
  readonly kids: ReadonlySet<string>;
  /**
   * The content-encryption key of one user and one provider under one master key: HKDF-SHA-256 (RFC 5869)
   * with the length-prefixed tenant, user and provider as info. Undefined for a `kid` that is not on the ring.
   */
  deriveKey(kid: string, binding: Binding | LegacyBinding): Promise<CryptoKey | undefined>;
};

const DOMAIN = 'userkeys/record/2';
const LEGACY_DOMAIN = 'userkeys/record/1';
const NO_SALT = new Uint8Array();

/**
 * The master keys of a deployment: those of `VAULT_KEYS_KMS` first, then those of `VAULT_KEYS`. The first of all
 * seals; every key opens.
 *
 * @throws ConfigError when wrapped keys cannot be opened as configured, when this runtime cannot open them, or when
 *   both variables name the same `kid`. Problem `vault_unavailable` when the KMS does not answer.
 */
export async function loadKeyRing(
  { vaultKeys, wrappedKeys }: VaultSettings,
  unwrapKeys?: UnwrapKeys,
): Promise<KeyRing> {
  const text = vaultKeys.reveal();
  if (wrappedKeys === undefined) return importKeys(parseMasterKeys(text));
  if (unwrapKeys === undefined) throw refused('cannot be opened on this runtime: use the Node.js runtime');
  const unwrapped = await unwrapKeys(wrappedKeys).catch((error: unknown) => {
    throw error instanceof WrappedKeysError ? refused(error.message) : error;
  });
  const [first, ...rest] = [...unwrapped, ...(text === '' ? [] : parseMasterKeys(text))];
  if (first === undefined) throw refused('is empty');
  try {
    assertUniqueKids([first, ...rest]);
  } catch {
    throw refused('names a kid that VAULT_KEYS names too');
  }
  return importKeys([first, ...rest]);
}

function refused(message: string): ConfigError {
  return new ConfigError([{ variable: 'VAULT_KEYS_KMS', message }]);
}

async function importKeys(keys: readonly [MasterKey, ...MasterKey[]]): Promise<KeyRing> {
  const imported = keys.map(async ({ kid, bytes }) => {
    const key = await crypto.subtle.importKey('raw', new Uint8Array(bytes), 'HKDF', false, ['deriveKey']);
    return [kid, key] as const;
  });
  const ring: ReadonlyMap<string, CryptoKey> = new Map(await Promise.all(imported));
  return {
    currentKid: keys[0].kid,
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

/** Each part is preceded by its length in bytes, so that two bindings never have the same encoding. */
function encodeBinding(binding: Binding | LegacyBinding): Uint8Array<ArrayBuffer> {
  const parts = partsOf(binding).map((part) => new TextEncoder().encode(part));
  return new Uint8Array(parts.flatMap((part) => [part.length >> 8, part.length & 0xff, ...part]));
}

function partsOf(binding: Binding | LegacyBinding): readonly string[] {
  if ('sub' in binding) return [LEGACY_DOMAIN, binding.sub, binding.provider];
  const { tenant, sub } = splitUserId(binding.user);
  return [DOMAIN, tenant, sub, binding.provider];
}
