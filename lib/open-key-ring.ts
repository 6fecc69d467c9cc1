/** The master keys of a deployment, wherever they come from. */
import { ConfigError } from './config.ts';
import { createKeyRing, type KeyRing } from './vault/key-ring.ts';
import type { VaultSettings } from './vault/vault-settings.ts';
import { type UnwrapKeys, WrappedKeysError } from './vault/wrapped-keys.ts';

/**
 * The ring of both variables: the keys of `VAULT_KEYS_KMS` first, then those of `VAULT_KEYS`. The first of all
 * seals, all open.
 *
 * @throws ConfigError when wrapped keys cannot be opened as configured, when this runtime has nothing to open them
 *   with, or when both variables name the same `kid`. Problem `vault_unavailable`.
 */
export async function openKeyRing(
  { vaultKeys, wrappedKeys }: VaultSettings,
  unwrapKeys: UnwrapKeys | undefined,
): Promise<KeyRing> {
  if (wrappedKeys === undefined) return createKeyRing(vaultKeys);
  if (unwrapKeys === undefined) throw refused('cannot be opened on this runtime: use the Node.js runtime');
  const unwrapped = await unwrapKeys(wrappedKeys).catch((error: unknown) => {
    throw error instanceof WrappedKeysError ? refused(error.message) : error;
  });
  return createKeyRing(vaultKeys, unwrapped).catch(() => {
    // Both variables are well-formed by now: this is the one thing left that can be wrong with them.
    throw refused('names a kid that VAULT_KEYS names too');
  });
}

function refused(complaint: string): ConfigError {
  return new ConfigError([{ variable: 'VAULT_KEYS_KMS', complaint }]);
}
