/** A token issuer for tests, which can misbehave. Developers run `dev/issuer` instead. */
import { createHmac } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import { createWebServer, type WebHandler } from '../../dev/http/create-web-server.ts';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';

type Json = Readonly<Record<string, unknown>>;
type Key = {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly publicJwk: JWK;
};

/** The `aud` of the tokens. */
export const TEST_AUDIENCE = 'userkeys';

export type TestIssuer = {
  readonly url: string;
  readonly jwksUrl: string;
  /** The current signing key's public half. */
  publicKeyPem(): Promise<string>;
  publicJwk(): JWK;
  /** A valid token. `claims` and `header` add or replace members; `undefined` removes one. */
  sign(sub: unknown, claims?: Json, header?: Json): Promise<string>;
  /** The same claims with no signature: `alg: none`. */
  unsigned(sub: string): string;
  /** The same claims signed with HS256, with the public key's PEM as the secret. */
  signedWithPublicKey(sub: string): Promise<string>;
  /** Creates a new signing key. The former one stays published unless it is retired. */
  rotate(options?: { readonly alg?: string; readonly retireFormer?: boolean }): Promise<void>;
  /** How often the keys were fetched. */
  jwksRequests(): number;
  /** Replaces the answer to `/.well-known/jwks.json`. Without an argument it restores the real one. */
  answerJwksWith(handler?: WebHandler): void;
  close(): Promise<void>;
};

/** Starts an issuer with one key for that algorithm, on the given port or on one that the system picks. */
export async function startTestIssuer(
  options: { readonly alg?: string; readonly port?: number } = {},
): Promise<TestIssuer> {
  const keys = [await createKey(options.alg ?? 'ES256')];
  let requests = 0;
  let jwksHandler: WebHandler | undefined;

  const server = createWebServer((request) => {
    if (new URL(request.url).pathname !== '/.well-known/jwks.json')
      return new Response(null, { status: 404 });
    requests += 1;
    return jwksHandler ? jwksHandler(request) : Response.json({ keys: keys.map(published) });
  });
  const url = `http://${LOOPBACK}:${await listen(server, options.port)}`;

  function current(): Key {
    const key = keys.at(-1);
    if (!key) throw new Error('The issuer has no key.');
    return key;
  }
  function standardClaims(sub: unknown): Record<string, unknown> {
    const iat = Math.floor(Date.now() / 1000);
    return { iss: url, aud: TEST_AUDIENCE, sub, iat, exp: iat + 60 };
  }

  return {
    url,
    jwksUrl: `${url}/.well-known/jwks.json`,
    publicKeyPem: () => exportSPKI(current().publicKey),
    publicJwk: () => published(current()),
    async sign(sub, claims = {}, header = {}) {
      const { alg, kid, privateKey } = current();
      return new SignJWT({ ...standardClaims(sub), ...claims })
        .setProtectedHeader({ alg, kid, typ: 'JWT', ...header })
        .sign(privateKey);
    },
    unsigned: (sub) => `${encode({ alg: 'none', typ: 'JWT' })}.${encode(standardClaims(sub))}.`,
    async signedWithPublicKey(sub) {
      const key = current();
      const signed = `${encode({ alg: 'HS256', kid: key.kid })}.${encode(standardClaims(sub))}`;
      return `${signed}.${createHmac('sha256', await exportSPKI(key.publicKey))
        .update(signed)
        .digest('base64url')}`;
    },
    async rotate({ alg = current().alg, retireFormer = false } = {}) {
      const next = await createKey(alg);
      if (retireFormer) keys.length = 0;
      keys.push(next);
    },
    jwksRequests: () => requests,
    answerJwksWith(handler) {
      jwksHandler = handler;
    },
    close: () => closeServer(server),
  };
}

async function createKey(alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  return { kid: await calculateJwkThumbprint(publicJwk), alg, privateKey, publicKey, publicJwk };
}

function published({ publicJwk, kid, alg }: Key): JWK {
  return { ...publicJwk, kid, alg, use: 'sig' };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
