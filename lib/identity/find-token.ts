/** Finds the session token: in the bearer header, or in the header where a provider's SDK sends its key. */
import { Secret } from '../secret.ts';

const BEARER = /^Bearer +([^\s,]+) *$/i;
const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export type FoundToken = {
  readonly token: Secret;
  /** The request header it came in, in lower case. */
  readonly header: string;
};

/**
 * Finds the session token of a request. On the gateway the provider's own credential header is checked first. An SDK may
 * also send another token from its environment as `Authorization`, so the first header whose value has the form of a
 * JWT is used. Nothing is verified here.
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
