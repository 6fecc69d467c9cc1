/** Parses `VAULT_KEYS`. Messages name positions and `kid`s, never a key. */
import * as base64url from 'jose/base64url';

export type MasterKey = { readonly kid: string; readonly bytes: Uint8Array };

/** The format of a `kid`, the name of a master key. */
export const KID = /^[A-Za-z0-9._-]{1,64}$/;
const BASE64URL_32_BYTES = /^[A-Za-z0-9_-]{43}$/;

/**
 * Parses `kid:base64url(32 bytes)` entries, comma-separated. The first key seals; every key opens.
 *
 * @throws Error with a fixed message that names the wrong entry and the command that makes a valid one.
 */
export function parseMasterKeys(text: string): readonly [MasterKey, ...MasterKey[]] {
  const [first, ...rest] = text.split(',').map((entry, index) => parseEntry(entry.trim(), index + 1));
  if (first === undefined) throw new Error('is empty');
  const keys = [first, ...rest] as const;
  assertUniqueKids(keys);
  return keys;
}

/** @throws Error with a fixed message if two keys have the same `kid`. */
export function assertUniqueKids(keys: readonly { readonly kid: string }[]): void {
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) throw new Error('names the same kid twice');
}

function parseEntry(entry: string, position: number): MasterKey {
  const separator = entry.indexOf(':');
  const kid = entry.slice(0, separator);
  const encoded = entry.slice(separator + 1);
  if (separator < 1 || !KID.test(kid) || !BASE64URL_32_BYTES.test(encoded)) {
    throw new Error(
      `entry ${position} must be kid:base64url(32 bytes); make one with: npm run --silent vault-key`,
    );
  }
  return checkMasterKey({ kid, bytes: base64url.decode(encoded) }, position);
}

/** @throws Error with a fixed message if the key is not 32 bytes or is all zero. */
export function checkMasterKey(key: MasterKey, position: number): MasterKey {
  if (key.bytes.length !== 32) throw new Error(`entry ${position} must hold exactly 32 bytes`);
  if (key.bytes.every((byte) => byte === 0)) throw new Error(`entry ${position} is all zero`);
  return key;
}
