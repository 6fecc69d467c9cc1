import { fieldsOf, text } from './decode.ts';

/**
 * The `sub` of a token, unverified: good for noticing that somebody else has signed in, and for nothing that
 * must not be forged. Undefined for a token that is no JWT.
 */
export function tokenSubject(token: string): string | undefined {
  try {
    const payload = token.split('.')[1] ?? '';
    const binary = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    return text(fieldsOf(JSON.parse(new TextDecoder().decode(bytes))).sub);
  } catch {
    return undefined;
  }
}
