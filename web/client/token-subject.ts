import { parseObject, parseString } from './json-parsers.ts';

/**
 * The `sub` claim of a token, or undefined if the token is not a JWT. The signature is not verified, so the
 * result only shows that another user has signed in. Do not use it for authorization.
 */
export function readTokenSubject(token: string): string | undefined {
  try {
    const payload = token.split('.')[1] ?? '';
    const binary = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    return parseString(parseObject(JSON.parse(new TextDecoder().decode(bytes))).sub);
  } catch {
    return undefined;
  }
}
