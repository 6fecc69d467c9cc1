/** Signs tokens of any shape, well formed or not, with keys that the issuer publishes. */
import { createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto';
import { decodeJwt } from 'jose';
import type { World } from '../support/start-world.ts';
import { tokenFor } from './start-service.ts';

/** `attacker` is not published. */
export type KeyName = 'ES256' | 'RS256' | 'EdDSA' | 'attacker';

type Members = Readonly<Record<string, unknown>>;

export type Forged = {
  /** Replaces members of a valid header; `undefined` removes one. A string is the whole JSON text. */
  readonly header?: Members | string;
  /** Replaces claims of a valid payload. */
  readonly claims?: Members | string;
  readonly key?: KeyName;
  /** Computes the signature instead of the key. */
  readonly signature?: (signed: string) => Buffer | string;
};

export type Forge = {
  /** A token for `sub` with these changes. Without any change it is valid. */
  token(sub: string, forged?: Forged): string;
  readonly publicPem: Readonly<Record<KeyName, string>>;
  readonly publicJwk: Readonly<Record<KeyName, JsonWebKey>>;
  readonly privateJwk: Readonly<Record<KeyName, JsonWebKey>>;
  /** The set that the issuer publishes. */
  readonly jwks: { readonly keys: readonly object[] };
  sign(signed: string, key: KeyName, hash?: string): Buffer;
};

/** Creates the keys and makes the issuer of this world publish them. */
export async function createForge(world: World): Promise<Forge> {
  const pairs = {
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    EdDSA: generateKeyPairSync('ed25519'),
    attacker: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  } as const;
  const each = <T>(
    pick: (pair: { publicKey: KeyObject; privateKey: KeyObject }) => T,
  ): Record<KeyName, T> => ({
    ES256: pick(pairs.ES256),
    RS256: pick(pairs.RS256),
    EdDSA: pick(pairs.EdDSA),
    attacker: pick(pairs.attacker),
  });
  const publicJwk = each(({ publicKey }) => publicKey.export({ format: 'jwk' }));
  const published = (['ES256', 'RS256', 'EdDSA'] as const).map((name) => ({
    ...publicJwk[name],
    kid: kidOf(name),
    alg: name,
    use: 'sig',
  }));
  const jwks = { keys: published };
  world.issuer.answerJwksWith(() => Response.json(jwks));
  const standard = decodeJwt(await tokenFor(world, 'nobody'));

  function sign(signed: string, key: KeyName, hash = 'sha256'): Buffer {
    const { privateKey } = pairs[key];
    const options = { key: privateKey, dsaEncoding: 'ieee-p1363' as const };
    return signBytes(key === 'EdDSA' ? null : hash, Buffer.from(signed), options);
  }
  return {
    publicPem: each(({ publicKey }) => String(publicKey.export({ format: 'pem', type: 'spki' }))),
    publicJwk,
    privateJwk: each(({ privateKey }) => privateKey.export({ format: 'jwk' })),
    jwks,
    sign,
    token(sub, { header = {}, claims = {}, key = 'ES256', signature } = {}) {
      const alg = key === 'attacker' ? 'ES256' : key;
      const head =
        typeof header === 'string' ? header : JSON.stringify({ alg, kid: kidOf(alg), typ: 'JWT', ...header });
      const body = typeof claims === 'string' ? claims : JSON.stringify({ ...standard, sub, ...claims });
      const signed = `${encode(head)}.${encode(body)}`;
      const signatureBytes = signature === undefined ? sign(signed, key) : signature(signed);
      return `${signed}.${typeof signatureBytes === 'string' ? signatureBytes : signatureBytes.toString('base64url')}`;
    },
  };
}

export function kidOf(name: KeyName): string {
  return `kid-of-${name.toLowerCase()}`;
}

export function hmac(hash: string, secret: string | Buffer): (signed: string) => Buffer {
  return (signed) => createHmac(hash, secret).update(signed).digest();
}

/** base64url of a text, or of bytes given as latin1 after the mark `bytes:`. */
export function encode(text: string): string {
  const bytes = text.startsWith('bytes:') ? Buffer.from(text.slice(6), 'latin1') : Buffer.from(text);
  return bytes.toString('base64url');
}
