import { exportSPKI, importJWK, SignJWT } from 'jose';
import { createWebServer } from '../http/create-web-server.ts';
import { closeServer, LOOPBACK, listen } from '../http/listen.ts';
import { issuerRoutes } from './issuer-routes.ts';
import { loadSigningKey } from './signing-key.ts';

const TOKEN_LIFETIME_SECONDS = 600;
/** The `aud` of the tokens: the value of `AUTH_AUDIENCE`. */
export const DEV_AUDIENCE = 'userkeys';

export type Issuer = {
  /** The `iss` of the tokens and the base of the issuer's addresses. */
  readonly url: string;
  readonly jwksUrl: string;
  readonly publicKeyPem: string;
  /** A token for any subject. `claims` are added, and replace claims of the same name. */
  sign(sub: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  close(): Promise<void>;
};

export type IssuerOptions = {
  /** Default: the system picks one. A taken port rejects with `EADDRINUSE`. */
  readonly port?: number;
  /** The users who can get a token over HTTP. Default: alice and bob. */
  readonly users?: readonly string[];
  /** The `azp` of the tokens: the page's origin, as in a Clerk session token. Default: no `azp`. */
  readonly authorizedParty?: () => string;
  /** File of the signing key, so that tokens stay valid after a restart. Default: a new key each time. */
  readonly keyFile?: string;
};

/**
 * A real token issuer on loopback: public keys at `/.well-known/jwks.json`, and ES256 tokens of ten minutes
 * with the claims of a Clerk session token (`iss`, `sub`, `iat`, `exp`, `azp`) and the `aud` of `DEV_AUDIENCE`. Any
 * program on this machine can get a token; a page of another site cannot. For development only.
 */
export async function startIssuer(options: IssuerOptions = {}): Promise<Issuer> {
  const { port, users = ['alice', 'bob'], authorizedParty, keyFile } = options;
  const { kid, privateJwk, publicJwk } = await loadSigningKey(keyFile);
  const privateKey = await importJWK(privateJwk, 'ES256');
  const publicKey = await importJWK(publicJwk, 'ES256', { extractable: true });
  if (publicKey instanceof Uint8Array) throw new TypeError('An EC key cannot be a byte string.');

  let url = '';
  async function sign(sub: string, claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const issuedAt = Math.floor(Date.now() / 1000);
    const standard = {
      iss: url,
      aud: DEV_AUDIENCE,
      sub,
      iat: issuedAt,
      exp: issuedAt + TOKEN_LIFETIME_SECONDS,
    };
    const party = authorizedParty === undefined ? {} : { azp: authorizedParty() };
    return new SignJWT({ ...standard, ...party, ...claims })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid })
      .sign(privateKey);
  }

  const jwks = { keys: [{ ...publicJwk, kid, alg: 'ES256', use: 'sig' }] };
  const server = createWebServer(issuerRoutes({ users, jwks, sign, url: () => url }));
  url = `http://${LOOPBACK}:${await listen(server, port)}`;

  return {
    url,
    jwksUrl: `${url}/.well-known/jwks.json`,
    publicKeyPem: await exportSPKI(publicKey),
    sign,
    close: () => closeServer(server),
  };
}
