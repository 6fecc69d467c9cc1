/** Where a session token may travel: the bearer header, or the slot where a provider's SDK puts its key. */
import { Secret } from '../secret.ts';

const BEARER = /^Bearer +([^\s,]+) *$/i;
const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export type FoundToken = {
  readonly token: Secret;
  /** The request header it came in, in lower case. */
  readonly header: string;
};

/**
 * The session token of a request. On the gateway the called provider's own credential header comes first:
 * an SDK may send a token of its own environment as `Authorization` beside it, so the first slot that holds
 * something shaped like a JWT is taken. Nothing is verified here.
 */
export function findToken(headers: Headers, providerHeader = 'authorization'): FoundToken | undefined {
  const slots = new Set([providerHeader, 'authorization']);
  const candidates = [...slots].flatMap((header) => {
    const value = headers.get(header)?.trim();
    if (!value) return [];
    const text = header === 'authorization' ? BEARER.exec(value)?.[1] : value.replace(/^Bearer +/i, '');
    return text === undefined ? [] : [{ header, text }];
  });
  const found = candidates.find(({ text }) => COMPACT_JWS.test(text)) ?? candidates[0];
  return found === undefined ? undefined : { token: new Secret(found.text), header: found.header };
}
