/** The substrings by which a key is found in a text. */
import { KEY_WINDOW_CHARACTERS } from '../limits.ts';
import { decodeEscapes } from './decode-escapes.ts';

/** Every window of ten characters, in lower case, of the key and of the forms in which providers echo it. */
export async function keyWindows(key: string): Promise<ReadonlySet<string>> {
  const bytes = new TextEncoder().encode(key);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const forms = [
    key,
    ...decodeEscapes(key).map(({ decoded }) => decoded),
    hexOf(bytes),
    hexOf(hash),
    ...BASE64_OFFSETS.flatMap((offset) => base64Forms(bytes, offset)),
  ];
  const windows = new Set<string>();
  for (const form of forms) {
    const lowerCase = form.toLowerCase();
    for (let at = 0; at + KEY_WINDOW_CHARACTERS <= lowerCase.length; at += 1)
      windows.add(lowerCase.slice(at, at + KEY_WINDOW_CHARACTERS));
  }
  return windows;
}

/** A key has three base64 forms (RFC 4648), which depend on the number of bytes before it, such as `Bearer `. */
const BASE64_OFFSETS = [
  { bytesBefore: 0, charactersAffected: 0 },
  { bytesBefore: 1, charactersAffected: 2 },
  { bytesBefore: 2, charactersAffected: 3 },
] as const;

function base64Forms(
  bytes: Uint8Array,
  { bytesBefore, charactersAffected }: (typeof BASE64_OFFSETS)[number],
): readonly string[] {
  const shifted = new Uint8Array(bytesBefore + bytes.length);
  shifted.set(bytes, bytesBefore);
  const form = btoa(String.fromCharCode(...shifted))
    .replace(/=+$/, '')
    .slice(charactersAffected);
  return [form, form.replaceAll('+', '-').replaceAll('/', '_')];
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
