/** The pieces by which a key is known again in a text. */
import { KEY_WINDOW_CHARACTERS } from '../limits.ts';
import { undoEscapes } from './undo-escapes.ts';

/** Every ten characters in a row, in lower case, of the key and of the forms it is echoed in. */
export async function keyWindows(key: string): Promise<ReadonlySet<string>> {
  const bytes = new TextEncoder().encode(key);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const forms = [
    key,
    ...undoEscapes(key).map(({ plain }) => plain),
    hexOf(bytes),
    hexOf(hash),
    ...BASE64_OFFSETS.flatMap((offset) => base64Forms(bytes, offset)),
  ];
  const windows = new Set<string>();
  for (const form of forms) {
    const folded = form.toLowerCase();
    for (let at = 0; at + KEY_WINDOW_CHARACTERS <= folded.length; at += 1)
      windows.add(folded.slice(at, at + KEY_WINDOW_CHARACTERS));
  }
  return windows;
}

/** In base64 (RFC 4648) a key looks three ways, by how many bytes stand before it: `Bearer `, a user name. */
const BASE64_OFFSETS = [
  { bytesBefore: 0, charactersTouched: 0 },
  { bytesBefore: 1, charactersTouched: 2 },
  { bytesBefore: 2, charactersTouched: 3 },
] as const;

function base64Forms(
  bytes: Uint8Array,
  { bytesBefore, charactersTouched }: (typeof BASE64_OFFSETS)[number],
): readonly string[] {
  const shifted = new Uint8Array(bytesBefore + bytes.length);
  shifted.set(bytes, bytesBefore);
  const form = btoa(String.fromCharCode(...shifted))
    .replace(/=+$/, '')
    .slice(charactersTouched);
  return [form, form.replaceAll('+', '-').replaceAll('/', '_')];
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
