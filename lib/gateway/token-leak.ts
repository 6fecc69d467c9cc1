/** Finding the caller's token where it must not go to a provider. */
import type { Secret } from '../secret.ts';

/** A percent-encoded ASCII character, however often its percent sign was encoded in turn. */
const ENCODED = /%(?:25)*([2-7][0-9a-f])/gi;
/** Signs that were encoded apart, such as `%%32%35`, take another turn. */
const TURNS = 3;

/** Whether the text has the token in it, percent-encoded or not. */
export function holdsToken(text: string, token: Secret | undefined): boolean {
  if (token === undefined) return false;
  let plain = text;
  for (let turn = 0; turn < TURNS; turn += 1) {
    if (plain.includes(token.reveal())) return true;
    const decoded = plain.replace(ENCODED, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (decoded === plain) return false;
    plain = decoded;
  }
  return plain.includes(token.reveal());
}
