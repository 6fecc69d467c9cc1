/** Verifying with one configured key and no network call. */
import { type CryptoKey, errors, importJWK, importSPKI, type JWTVerifyGetKey, type KeyInput } from 'jose';
import { z } from 'zod';
import { MIN_RSA_BITS } from '../limits.ts';

type Imported = Promise<CryptoKey | Uint8Array>;

/** One algorithm for each type of key and each curve. */
const SAMPLE_ALGORITHMS = ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** What a JWK says about its own use (RFC 7517, section 4). */
const signatureKey = z.looseObject({
  kid: z.string().exactOptional(),
  alg: z.string().exactOptional(),
  use: z.literal('sig').exactOptional(),
  key_ops: z.array(z.string()).exactOptional(),
});

/**
 * Finds the key of `AUTH_PUBLIC_KEY` (PEM or JWK) for a token's header. It is imported once for each algorithm
 * that tokens name; an algorithm that the key does not fit fails like a bad signature.
 *
 * @throws Error when the text is not a key that any accepted algorithm can use, or a JWK whose `kid` is refused.
 */
export async function createPublicKey(
  text: string,
  refusedKids: readonly string[],
): Promise<JWTVerifyGetKey> {
  const jwk = text.trimStart().startsWith('{') ? signatureKey.parse(JSON.parse(text)) : undefined;
  if (jwk?.key_ops?.includes('verify') === false) throw new Error('The key is not for signatures.');
  if (jwk?.kid !== undefined && refusedKids.includes(jwk.kid)) throw new Error('The kid is refused.');

  const imported = new Map<string, Imported>();
  const importFor = (alg: string): Imported => {
    const known = imported.get(alg);
    if (known !== undefined) return known;
    const fresh = jwk === undefined ? importSPKI(text, alg) : importJWK(jwk, alg);
    imported.set(alg, fresh);
    return fresh;
  };
  const key = await Promise.any((jwk?.alg === undefined ? SAMPLE_ALGORITHMS : [jwk.alg]).map(importFor));
  if (isWeakRsa(key))
    throw new Error(`RSA keys need ${MIN_RSA_BITS} bits or more, and another exponent than 1`);
  return ({ alg }) => {
    if (jwk?.alg !== undefined && jwk.alg !== alg)
      throw new errors.JOSEAlgNotAllowed('Not the alg of the JWK.');
    return importFor(alg);
  };
}

/**
 * Whether a key is RSA and too short, or has the exponent 1, with which anybody can make a signature that verifies. jose
 * refuses a short key too, but does not say so.
 */
export function isWeakRsa(key: KeyInput): boolean {
  const algorithm = 'algorithm' in key ? key.algorithm : undefined;
  if (typeof algorithm !== 'object' || algorithm === null) return false;
  if (!('modulusLength' in algorithm && 'publicExponent' in algorithm)) return false;
  const { modulusLength, publicExponent } = algorithm;
  const isOne = publicExponent instanceof Uint8Array && /^0*1$/.test(publicExponent.join(''));
  return Number(modulusLength) < MIN_RSA_BITS || isOne;
}
