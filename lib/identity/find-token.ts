/** Where a session token may travel: the bearer header, or the slot where a provider's SDK puts its key. */
import { Secret } from '../secret.ts';

const BEARER = /^Bearer +([^\s,]+) *$/i;
const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * The session token of a request. On the gateway the called provider's own credential header comes first:
 * an SDK may send a token of its own environment as `Authorization` beside it, so the first slot that holds
 * something shaped like a JWT is taken. Nothing is verified here.
 */
export function findToken(headers: Headers, providerHeader = 'authorization'): Secret | undefined {
  const slots = new Set([providerHeader, 'authorization']);
  const candidates = [...slots].flatMap((slot) => {
    const value = headers.get(slot)?.trim();
    if (!value) return [];
    const token = slot === 'authorization' ? BEARER.exec(value)?.[1] : value.replace(/^Bearer +/i, '');
    return token === undefined ? [] : [token];
  });
  const found = candidates.find((candidate) => COMPACT_JWS.test(candidate)) ?? candidates[0];
  return found === undefined ? undefined : new Secret(found);
}
