/**
 * Seals and opens keys: a compact JWE (RFC 7516), `dir` with A256GCM under a key derived for its owner and provider. An
 * envelope that is moved to another tenant, user, provider or field does not open.
 */
import { decodeProtectedHeader } from 'jose';
import { Problem, type Reason } from '../errors.ts';
import { MAX_ENVELOPE_CHARACTERS } from '../limits.ts';
import { Secret } from '../secret.ts';
import type { Cipher } from './cipher.ts';
import type { Binding, KeyRing, LegacyBinding } from './key-ring.ts';

const ALGORITHM = 'dir';
const ENCRYPTION = 'A256GCM';
/**
 * What this project seals: no encrypted key, 12 bytes of initialization vector, a tag of 16 bytes, base64url without
 * padding. jose would also read white space and padding, and two decoders must not read one text differently.
 */
const FORM = /^[\w-]+\.\.[\w-]{16}\.(?:[\w-]{4})*(?:[\w-]{2,3})?\.[\w-]{22}$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Seals a key under the ring's current master key. */
export async function sealKey(ring: KeyRing, binding: Binding, key: Secret): Promise<string> {
  const kid = ring.currentKid;
  const cipher = await ring.cipherFor(kid, binding);
  if (cipher === undefined) throw new Problem('internal');
  return cipher.seal({ alg: ALGORITHM, enc: ENCRYPTION, kid }, encoder.encode(key.reveal()));
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
  const cipher = await ring.cipherFor(header.kid, binding);
  if (cipher === undefined) throw unreadable('master_key_missing');
  const plaintext = await readPlaintext(envelope, cipher);
  try {
    return new Secret(decoder.decode(plaintext));
  } catch {
    throw unreadable('plaintext_malformed');
  }
}

async function readPlaintext(envelope: string, cipher: Cipher): Promise<Uint8Array> {
  if (!FORM.test(envelope)) throw unreadable('envelope_not_authentic');
  try {
    return await cipher.open(envelope);
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
