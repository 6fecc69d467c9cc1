/** Verifying with one configured key and no network call. */
import { type CryptoKey, importJWK, importSPKI, type JWTVerifyGetKey } from 'jose';

type Imported = Promise<CryptoKey | Uint8Array>;

/** One algorithm for each type and curve of key. */
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
  await Promise.any(SAMPLE_ALGORITHMS.map(importFor));
  return ({ alg }) => importFor(alg);
}
