/** The master keys, in memory, as key objects that do not print their bytes. Only this folder handles them. */
import { ConfigError } from '../errors.ts';
import { splitUserId, type UserId } from '../identity/user-id.ts';
import type { Cipher, DeriveCipher, ImportMasterKey } from './cipher.ts';
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
   * The cipher for the records of one user and one provider under one master key: HKDF-SHA-256 (RFC 5869)
   * with the length-prefixed tenant, user and provider as info. Undefined for a `kid` that is not on the ring.
   * Derived anew for every envelope, and not kept.
   */
  cipherFor(kid: string, binding: Binding | LegacyBinding): Promise<Cipher | undefined>;
};

const DOMAIN = 'userkeys/record/2';
const LEGACY_DOMAIN = 'userkeys/record/1';
const encoder = new TextEncoder();

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
  importMasterKey: ImportMasterKey = importWithWebCrypto,
): Promise<KeyRing> {
  const text = vaultKeys.reveal();
  if (wrappedKeys === undefined) return importKeys(parseMasterKeys(text), importMasterKey);
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
  return importKeys([first, ...rest], importMasterKey);
}

/** Loaded only where the runtime has no cipher of its own. */
const importWithWebCrypto: ImportMasterKey = async (bytes) =>
  (await import('./web-cipher.ts')).importMasterKey(bytes);

function refused(message: string): ConfigError {
  return new ConfigError([{ variable: 'VAULT_KEYS_KMS', message }]);
}

async function importKeys(
  keys: readonly [MasterKey, ...MasterKey[]],
  importMasterKey: ImportMasterKey,
): Promise<KeyRing> {
  const imported = keys.map(async ({ kid, bytes }) => [kid, await importMasterKey(bytes)] as const);
  const ring: ReadonlyMap<string, DeriveCipher> = new Map(await Promise.all(imported));
  return {
    currentKid: keys[0].kid,
    kids: new Set(ring.keys()),
    cipherFor: async (kid, binding) => ring.get(kid)?.(encodeBinding(binding)),
  };
}

/** Each part is preceded by its length in bytes, so that two bindings never have the same encoding. */
function encodeBinding(binding: Binding | LegacyBinding): Uint8Array<ArrayBuffer> {
  const parts = partsOf(binding).map((part) => encoder.encode(part));
  const encoded = new Uint8Array(parts.reduce((bytes, part) => bytes + 2 + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    encoded.set([part.length >> 8, part.length & 0xff], offset);
    encoded.set(part, offset + 2);
    offset += 2 + part.length;
  }
  return encoded;
}

function partsOf(binding: Binding | LegacyBinding): readonly string[] {
  if ('sub' in binding) return [LEGACY_DOMAIN, binding.sub, binding.provider];
  const { tenant, sub } = splitUserId(binding.user);
  return [DOMAIN, tenant, sub, binding.provider];
}
