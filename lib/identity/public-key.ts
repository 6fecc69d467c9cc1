/** Verifying with one configured key and no network call. */
import { type CryptoKey, importJWK, importSPKI, type JWTVerifyGetKey } from 'jose';
import { MIN_RSA_BITS } from '../limits.ts';

type Imported = Promise<CryptoKey | Uint8Array>;

/** One algorithm for each type of key and each curve. */
const SAMPLE_ALGORITHMS = ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/**
 * Finds the key of `AUTH_PUBLIC_KEY` (PEM or JWK) for a token's header. It is imported once for each algorithm
 * that tokens name; an algorithm that the key does not fit fails like a bad signature.
 *
 * @throws Error when the text is not a key that any accepted algorithm can use.
 */
export async function createPublicKey(text: string): Promise<JWTVerifyGetKey> {
  const imported = new Map<string, Imported>();
  const importFor = (alg: string): Imported => {
    const known = imported.get(alg);
    if (known !== undefined) return known;
    const fresh = text.trimStart().startsWith('{') ? importJWK(JSON.parse(text), alg) : importSPKI(text, alg);
    imported.set(alg, fresh);
    return fresh;
  };
  const key = await Promise.any(SAMPLE_ALGORITHMS.map(importFor));
  if (isShortRsa(key)) throw new Error(`RSA keys need ${MIN_RSA_BITS} bits or more`);
  return ({ alg }) => importFor(alg);
}

/** jose would refuse such a key only when it verifies a token. */
function isShortRsa(key: CryptoKey | Uint8Array): boolean {
  if (key instanceof Uint8Array || !('modulusLength' in key.algorithm)) return false;
  return Number(key.algorithm.modulusLength) < MIN_RSA_BITS;
}
