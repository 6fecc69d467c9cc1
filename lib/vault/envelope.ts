/**
 * One sealed key: a compact JWE (RFC 7516), `dir` with A256GCM under a key derived for its owner and
 * provider. Moved to another user, provider or field it does not open.
 */
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import { Problem } from '../errors.ts';
import { Secret } from '../secret.ts';
import type { Binding, KeyRing } from './key-ring.ts';

/** The longest envelope that is looked at: a key of 4,096 characters needs about 5,600. */
const MAX_ENVELOPE_CHARACTERS = 8_192;
const ALGORITHM = 'dir';
const ENCRYPTION = 'A256GCM';

/** Seals a key under the ring's current master key. */
export async function sealKey(ring: KeyRing, binding: Binding, key: Secret): Promise<string> {
  const kid = ring.currentKid;
  const contentKey = await ring.deriveKey(kid, binding);
  if (contentKey === undefined) throw new Problem('internal');
  return new CompactEncrypt(new TextEncoder().encode(key.reveal()))
    .setProtectedHeader({ alg: ALGORITHM, enc: ENCRYPTION, kid })
    .encrypt(contentKey);
}

/**
 * Opens an envelope for the user and provider of a verified request.
 *
 * @throws Problem `key_unreadable`, the same for every cause: damaged, moved, sealed under a master key that
 *   is gone, or of another form. No plaintext exists when it is thrown.
 */
export async function openKey(ring: KeyRing, binding: Binding, envelope: string): Promise<Secret> {
  try {
    const contentKey = await ring.deriveKey(readKid(envelope), binding);
    if (contentKey === undefined) throw unreadable();
    const { plaintext } = await compactDecrypt(envelope, contentKey, {
      keyManagementAlgorithms: [ALGORITHM],
      contentEncryptionAlgorithms: [ENCRYPTION],
    });
    return new Secret(new TextDecoder('utf-8', { fatal: true }).decode(plaintext));
  } catch {
    throw unreadable();
  }
}

/** The master key an envelope names, or undefined when it is no envelope of ours. It may still not open. */
export function kidOf(envelope: string): string | undefined {
  try {
    return readKid(envelope);
  } catch {
    return undefined;
  }
}

/** The `kid` of a header that holds `alg`, `enc` and `kid` and nothing more: no `zip`, no `crit`. */
function readKid(envelope: string): string {
  if (envelope.length > MAX_ENVELOPE_CHARACTERS) throw unreadable();
  const { alg, enc, kid, ...others } = decodeProtectedHeader(envelope);
  if (alg !== ALGORITHM || enc !== ENCRYPTION || typeof kid !== 'string' || Object.keys(others).length > 0) {
    throw unreadable();
  }
  return kid;
}

function unreadable(): Problem {
  return new Problem('key_unreadable');
}
