/**
 * Seals and opens keys: a compact JWE (RFC 7516), `dir` with A256GCM under a key derived for its owner and provider. An
 * envelope that is moved to another tenant, user, provider or field does not open.
 */
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import { Problem, type Reason } from '../errors.ts';
import { MAX_ENVELOPE_CHARACTERS } from '../limits.ts';
import { Secret } from '../secret.ts';
import type { Binding, KeyRing, LegacyBinding } from './key-ring.ts';

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
 * @throws Problem `key_unreadable`, which looks the same to the caller for every cause: damaged, moved, sealed under
 *   a master key that is not on the ring, or of another form. Its reason tells the causes apart in the log. No
 *   plaintext exists when it is thrown.
 */
export async function openKey(ring: KeyRing, binding: Binding, envelope: string): Promise<Secret> {
  return open(ring, binding, envelope);
}

/**
 * Opens an envelope that was sealed before users had a tenant. Only the migration calls it: no request can open such an
 * envelope.
 *
 * @throws Problem `key_unreadable`.
 */
export async function openLegacyKey(
  ring: KeyRing,
  binding: LegacyBinding,
  envelope: string,
): Promise<Secret> {
  return open(ring, binding, envelope);
}

async function open(ring: KeyRing, binding: Binding | LegacyBinding, envelope: string): Promise<Secret> {
  const header = readHeader(envelope);
  if ('refusedFor' in header) throw unreadable(header.refusedFor);
  const contentKey = await ring.deriveKey(header.kid, binding);
  if (contentKey === undefined) throw unreadable('master_key_missing');
  const plaintext = await readPlaintext(envelope, contentKey);
  try {
    return new Secret(new TextDecoder('utf-8', { fatal: true }).decode(plaintext));
  } catch {
    throw unreadable('plaintext_malformed');
  }
}

async function readPlaintext(envelope: string, contentKey: CryptoKey): Promise<Uint8Array> {
  try {
    const { plaintext } = await compactDecrypt(envelope, contentKey, {
      keyManagementAlgorithms: [ALGORITHM],
      contentEncryptionAlgorithms: [ENCRYPTION],
    });
    return plaintext;
  } catch {
    throw unreadable('envelope_not_authentic');
  }
}

/** The `kid` of the master key that an envelope names. Undefined if its header is invalid. Does not check that it opens. */
export function kidOf(envelope: string): string | undefined {
  const header = readHeader(envelope);
  return 'kid' in header ? header.kid : undefined;
}

/** The `kid` of a header with `alg`, `enc` and `kid` and no other member: no `zip`, no `crit`. */
function readHeader(envelope: string): { readonly kid: string } | { readonly refusedFor: Reason } {
  if (envelope.length > MAX_ENVELOPE_CHARACTERS) return { refusedFor: 'envelope_too_long' };
  try {
    const { alg, enc, kid, ...others } = decodeProtectedHeader(envelope);
    const isOurs = alg === ALGORITHM && enc === ENCRYPTION && Object.keys(others).length === 0;
    return isOurs && typeof kid === 'string' ? { kid } : { refusedFor: 'envelope_header_unexpected' };
  } catch {
    return { refusedFor: 'envelope_malformed' };
  }
}

function unreadable(reason: Reason): Problem {
  return new Problem('key_unreadable', { reason });
}
