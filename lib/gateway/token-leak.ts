/** Finds the caller's token in text that goes to a provider. */
import { MAX_TOKEN_DECODING_ROUNDS } from '../limits.ts';
import type { Secret } from '../secret.ts';

/** A percent-encoded ASCII character, however often its percent sign was itself encoded. */
const ENCODED = /%(?:25)*([2-7][0-9a-f])/gi;

/** Whether the text contains the token, percent-encoded or not. */
export function containsToken(text: string, token: Secret | undefined): boolean {
  if (token === undefined) return false;
  let plain = text;
  for (let round = 0; round < MAX_TOKEN_DECODING_ROUNDS; round += 1) {
    if (plain.includes(token.reveal())) return true;
    const decoded = plain.replace(ENCODED, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (decoded === plain) return false;
    plain = decoded;
  }
  return plain.includes(token.reveal());
}
