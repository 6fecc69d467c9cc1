/**
 * Removes a key from a provider's error messages: providers echo keys whole, truncated, masked, encoded or hashed. The
 * time is linear in the length of the text, because a caller can make a provider echo a long one.
 */
import {
  KEY_WINDOW_CHARACTERS,
  MAX_MASKED_PIECE_CHARACTERS,
  MIN_MASKED_PIECE_CHARACTERS,
  MIN_MASKED_PIECE_IN_WORD_CHARACTERS,
} from '../limits.ts';
import type { Secret } from '../secret.ts';
import { decodeEscapes } from './decode-escapes.ts';
import { keyWindows } from './key-windows.ts';

const REPLACEMENT = '[key]';
/** What providers print in place of the middle of a key. */
const MASK = /(?:[*•·…●∗＊█■]|\.{2,}|#{3,}|x{4,})+|[[(<{](?:hidden|masked|redacted|truncated)[\])>}]/gi;
const BRACKETS = new Set(['[]', '()', '<>', '{}']);
/** A phrase that gives the end of a key: "ending in abcd". */
const ENDING_PHRASE =
  /\b(?:end(?:s|ing) (?:in|with)|last (?:four|4)(?: \w{1,20})?(?: are| is)?:?)\s{1,4}["'`(]{0,2}([\w-]{2,64})/gi;

/** Words consist of these and of the characters of the key. */
const WORD_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789_-';

/** Marks a piece of the key in a text, from `start` up to `end`. */
type Mark = (start: number, end: number) => void;

/** Returns a function that removes exact copies of the key, for success answers, which do not describe keys. */
export function createExactRedactor(key: Secret): (text: string) => string {
  return (text) => text.replaceAll(key.reveal(), REPLACEMENT);
}

/**
 * Returns a function that removes the key from a text. It finds any ten consecutive characters of the key, of its base64
 * and hexadecimal forms and of its SHA-256, and the visible pieces next to a mask; in upper or lower case, and within
 * escapes of JSON, URLs and HTML. A key of fewer than ten characters is found only as a whole.
 */
export async function createRedactor(key: Secret): Promise<(text: string) => string> {
  const value = key.reveal();
  const windows = await keyWindows(value);
  return (text) => {
    const marked = new Uint8Array(text.length);
    for (const { decoded, offsets } of decodeEscapes(text)) {
      const mark: Mark = (start, end) => marked.fill(1, offsets[start], offsets[end]);
      if (value.length < KEY_WINDOW_CHARACTERS) markWhole(decoded, value, mark);
      const lowerCase = lowerCaseAscii(decoded);
      markWindows(lowerCase, windows, mark);
      markMasked(lowerCase, lowerCaseAscii(value), mark);
      markEndingPhrase(lowerCase, lowerCaseAscii(value), mark);
    }
    return replaceMarked(text, marked);
  };
}

function markWhole(text: string, value: string, mark: Mark): void {
  for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + value.length)) {
    mark(at, at + value.length);
  }
}

function markWindows(text: string, windows: ReadonlySet<string>, mark: Mark): void {
  for (let at = 0; at + KEY_WINDOW_CHARACTERS <= text.length; at += 1) {
    if (windows.has(text.slice(at, at + KEY_WINDOW_CHARACTERS))) mark(at, at + KEY_WINDOW_CHARACTERS);
  }
}

/** Marks every mask that is next to the start or the end of the key, together with those pieces. */
function markMasked(text: string, value: string, mark: Mark): void {
  const wordCharacters = new Set([...WORD_CHARACTERS, ...value]);
  for (const match of text.matchAll(MASK)) {
    let start = match.index;
    let end = start + match[0].length;
    if (BRACKETS.has(text.charAt(start - 1) + text.charAt(end))) {
      start -= 1;
      end += 1;
    }
    const before = prefixLength(wordBefore(text, start, wordCharacters), value);
    const after = suffixLength(wordAfter(text, end, wordCharacters), value);
    if (before > 0 || after > 0) mark(start - before, end + after);
  }
}

function markEndingPhrase(text: string, value: string, mark: Mark): void {
  for (const match of text.matchAll(ENDING_PHRASE)) {
    const end = match.index + match[0].length;
    const piece = match[1] ?? '';
    if (value.endsWith(piece)) mark(end - piece.length, end);
  }
}

/** How many characters at the end of `word` are the start of the key. */
function prefixLength(word: string, value: string): number {
  for (let length = word.length; length >= MIN_MASKED_PIECE_CHARACTERS; length -= 1) {
    const isWholeWord = length === word.length;
    if (!isWholeWord && length < MIN_MASKED_PIECE_IN_WORD_CHARACTERS) return 0;
    if (value.startsWith(word.slice(-length))) return length;
  }
  return 0;
}

/** How many characters at the start of `word`, not counting leading dashes, are the end of the key. */
function suffixLength(word: string, value: string): number {
  for (let length = word.length; length >= MIN_MASKED_PIECE_CHARACTERS; length -= 1) {
    const isWholeWord = length === word.length;
    if (!isWholeWord && length < MIN_MASKED_PIECE_IN_WORD_CHARACTERS) return 0;
    const piece = word.slice(0, length).replace(/^-+/, '');
    if (piece.length >= MIN_MASKED_PIECE_CHARACTERS && value.endsWith(piece)) return length;
  }
  return 0;
}

function wordBefore(text: string, end: number, wordCharacters: ReadonlySet<string>): string {
  let start = end;
  while (end - start < MAX_MASKED_PIECE_CHARACTERS && start > 0 && wordCharacters.has(text.charAt(start - 1)))
    start -= 1;
  return text.slice(start, end);
}

function wordAfter(text: string, start: number, wordCharacters: ReadonlySet<string>): string {
  let end = start;
  while (
    end - start < MAX_MASKED_PIECE_CHARACTERS &&
    end < text.length &&
    wordCharacters.has(text.charAt(end))
  )
    end += 1;
  return text.slice(start, end);
}

function replaceMarked(text: string, marked: Uint8Array): string {
  const parts: string[] = [];
  let copiedTo = 0;
  for (let start = marked.indexOf(1); start !== -1; start = marked.indexOf(1, copiedTo)) {
    parts.push(text.slice(copiedTo, start), REPLACEMENT);
    const end = marked.indexOf(0, start);
    copiedTo = end === -1 ? text.length : end;
  }
  return parts.join('') + text.slice(copiedTo);
}

/** Changes ASCII letters only, so that all positions stay the same. */
function lowerCaseAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}
