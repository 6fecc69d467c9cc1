/**
 * Taking a key out of what a provider says about it: providers echo keys in errors, whole, masked or hashed.
 * Time is linear in the text, which is the provider's, and a caller can make a provider echo a long one.
 */
import type { Secret } from '../secret.ts';

const REPLACEMENT = '[key]';
/** What providers put in the place of the middle of a key, also as JSON escapes of such characters. */
const MASK = /(?:[*•·…●∗＊█■]|\.{2,}|#{3,}|x{4,}|X{4,}|\\u(?:2022|00b7|2026|25cf|2217|ff0a|2588|25a0))+/gi;
/** Beside a mask, shorter pieces are no evidence of a key; in the middle of a longer word, more is needed. */
const LEAST_PIECE = 2;
const LEAST_PIECE_WITHIN_WORD = 4;
/** No provider shows more of a key than this beside a mask. */
const LONGEST_PIECE = 64;
/** Without a mask beside it, a piece of a key has at least this many characters. */
const LEAST_BARE_PIECE = 10;
const LONG_WORD = new RegExp(`[\\w-]{${LEAST_BARE_PIECE},}`, 'g');
/** The end of a key told in words: "ending in abcd". */
const TOLD_END =
  /\b(end(?:s|ing) (?:in|with)|last (?:four|4)(?: \w+)?(?: are| is)?:?)(\s+["'`(]*)([\w-]{2,})/gi;

/** A function that takes the key out of a text as it is: for answers without an error, which do not speak of keys. */
export function createPlainRedactor(key: Secret): (text: string) => string {
  return (text) => text.replaceAll(key.reveal(), REPLACEMENT);
}

/**
 * A function that takes the key out of a text: as it is, percent-encoded, JSON-escaped, in base64, its SHA-256,
 * masked, or a piece of it.
 */
export async function createRedactor(key: Secret): Promise<(text: string) => string> {
  const value = key.reveal();
  const whole = await wholeForms(value);
  return (text) => {
    const withoutWhole = whole.reduce((rest, form) => rest.replaceAll(form, REPLACEMENT), text);
    const withoutMasked = redactMasked(withoutWhole, value);
    return withoutMasked
      .replace(LONG_WORD, (word) =>
        word.length <= value.length && value.includes(word) ? REPLACEMENT : word,
      )
      .replace(TOLD_END, (told, words: string, gap: string, piece: string) =>
        value.endsWith(piece) ? `${words}${gap}${REPLACEMENT}` : told,
      );
  };
}

async function wholeForms(value: string): Promise<readonly string[]> {
  const percentEncoded = encodeURIComponent(value);
  const jsonEscaped = JSON.stringify(value).slice(1, -1);
  const hash = await sha256Hex(value);
  const base64 = base64Of(value);
  const forms = [
    ...[value, jsonEscaped, jsonEscaped.replaceAll('/', '\\/')],
    ...[percentEncoded, percentEncoded.replace(/%[0-9A-F]{2}/g, (triplet) => triplet.toLowerCase())],
    ...[base64, base64.replaceAll('+', '-').replaceAll('/', '_'), hash, hash.toUpperCase()],
  ];
  return [...new Set(forms)].filter((form) => form !== '');
}

/** Every mask that stands beside a beginning or an end of the key is replaced, together with those. */
function redactMasked(text: string, value: string): string {
  const parts: string[] = [];
  let done = 0;
  for (const match of text.matchAll(MASK)) {
    const start = match.index;
    const end = start + match[0].length;
    const before = lengthOfBeginning(wordBefore(text, done, start, value.length), value);
    const after = lengthOfEnding(wordAfter(text, end, value.length), value);
    if (before === 0 && after === 0) continue;
    parts.push(text.slice(done, start - before), REPLACEMENT);
    done = end + after;
  }
  return parts.join('') + text.slice(done);
}

/** How many characters at the end of `word` are a beginning of the key. */
function lengthOfBeginning(word: string, value: string): number {
  for (let length = word.length; length >= LEAST_PIECE; length -= 1) {
    const isWholeWord = length === word.length;
    if (!isWholeWord && length < LEAST_PIECE_WITHIN_WORD) return 0;
    if (value.startsWith(word.slice(-length))) return length;
  }
  return 0;
}

/** How many characters at the start of `word` are, dashes left aside, an end of the key. */
function lengthOfEnding(word: string, value: string): number {
  for (let length = word.length; length >= LEAST_PIECE; length -= 1) {
    const isWholeWord = length === word.length;
    if (!isWholeWord && length < LEAST_PIECE_WITHIN_WORD) return 0;
    const piece = word.slice(0, length).replace(/^-+/, '');
    if (piece.length >= LEAST_PIECE && value.endsWith(piece)) return length;
  }
  return 0;
}

/** The word that ends at `end`, at most `longest` characters of it, and nothing before `from`. */
function wordBefore(text: string, from: number, end: number, longest: number): string {
  const window = text.slice(Math.max(from, end - Math.min(longest, LONGEST_PIECE)), end);
  return /[\w-]*$/.exec(window)?.[0] ?? '';
}

function wordAfter(text: string, start: number, longest: number): string {
  return /^[\w-]*/.exec(text.slice(start, start + Math.min(longest, LONGEST_PIECE) + 1))?.[0] ?? '';
}

function base64Of(value: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(value))).replace(/=+$/, '');
}

async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
