/**
 * Taking a key out of what a provider says about it: providers echo keys in errors, whole, cut, masked, encoded or
 * hashed. Time is linear in the text, which is the provider's, and a caller can make a provider echo a long one.
 */
import {
  KEY_WINDOW_CHARACTERS,
  MAX_MASKED_PIECE_CHARACTERS,
  MIN_MASKED_PIECE_CHARACTERS,
  MIN_MASKED_PIECE_IN_WORD_CHARACTERS,
} from '../limits.ts';
import type { Secret } from '../secret.ts';
import { keyWindows } from './key-windows.ts';
import { undoEscapes } from './undo-escapes.ts';

const REPLACEMENT = '[key]';
/** What providers put in the place of the middle of a key. */
const MASK = /(?:[*•·…●∗＊█■]|\.{2,}|#{3,}|x{4,})+|[[(<{](?:hidden|masked|redacted|truncated)[\])>}]/gi;
const BRACKETS = new Set(['[]', '()', '<>', '{}']);
/** The end of a key told in words: "ending in abcd". */
const TOLD_END =
  /\b(?:end(?:s|ing) (?:in|with)|last (?:four|4)(?: \w{1,20})?(?: are| is)?:?)\s{1,4}["'`(]{0,2}([\w-]{2,64})/gi;

/** Beside these, words are made of whatever the key is made of. */
const WORD_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789_-';

/** Told where a piece of the key begins in a text, and where it ends. */
type Mark = (start: number, end: number) => void;

/** A function that takes the key out of a text as it is: for answers without an error, which do not speak of keys. */
export function createExactRedactor(key: Secret): (text: string) => string {
  return (text) => text.replaceAll(key.reveal(), REPLACEMENT);
}

/**
 * A function that takes the key out of a text: every ten characters in a row of it, of its base64, its hexadecimal
 * form and its SHA-256, and what shows of it beside a mask; in any case, and behind the escapes of JSON, URLs and
 * HTML. A key of fewer than ten characters is found whole.
 */
export async function createRedactor(key: Secret): Promise<(text: string) => string> {
  const value = key.reveal();
  const windows = await keyWindows(value);
  return (text) => {
    const marked = new Uint8Array(text.length);
    for (const { plain, starts } of undoEscapes(text)) {
      const mark: Mark = (start, end) => marked.fill(1, starts[start], starts[end]);
      if (value.length < KEY_WINDOW_CHARACTERS) markWhole(plain, value, mark);
      const folded = fold(plain);
      markWindows(folded, windows, mark);
      markMasked(folded, fold(value), mark);
      markToldEnd(folded, fold(value), mark);
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

/** Every mask that stands beside a beginning or an end of the key, together with those. */
function markMasked(text: string, value: string, mark: Mark): void {
  const ofWords = new Set([...WORD_CHARACTERS, ...value]);
  for (const match of text.matchAll(MASK)) {
    let start = match.index;
    let end = start + match[0].length;
    if (BRACKETS.has(text.charAt(start - 1) + text.charAt(end))) {
      start -= 1;
      end += 1;
    }
    const before = lengthOfBeginning(wordBefore(text, start, ofWords), value);
    const after = lengthOfEnding(wordAfter(text, end, ofWords), value);
    if (before > 0 || after > 0) mark(start - before, end + after);
  }
}

function markToldEnd(text: string, value: string, mark: Mark): void {
  for (const match of text.matchAll(TOLD_END)) {
    const end = match.index + match[0].length;
    const piece = match[1] ?? '';
    if (value.endsWith(piece)) mark(end - piece.length, end);
  }
}

/** How many characters at the end of `word` are a beginning of the key. */
function lengthOfBeginning(word: string, value: string): number {
  for (let length = word.length; length >= MIN_MASKED_PIECE_CHARACTERS; length -= 1) {
    const isWholeWord = length === word.length;
    if (!isWholeWord && length < MIN_MASKED_PIECE_IN_WORD_CHARACTERS) return 0;
    if (value.startsWith(word.slice(-length))) return length;
  }
  return 0;
}

/** How many characters at the start of `word` are, dashes left aside, an end of the key. */
function lengthOfEnding(word: string, value: string): number {
  for (let length = word.length; length >= MIN_MASKED_PIECE_CHARACTERS; length -= 1) {
    const isWholeWord = length === word.length;
    if (!isWholeWord && length < MIN_MASKED_PIECE_IN_WORD_CHARACTERS) return 0;
    const piece = word.slice(0, length).replace(/^-+/, '');
    if (piece.length >= MIN_MASKED_PIECE_CHARACTERS && value.endsWith(piece)) return length;
  }
  return 0;
}

function wordBefore(text: string, end: number, ofWords: ReadonlySet<string>): string {
  let start = end;
  while (end - start < MAX_MASKED_PIECE_CHARACTERS && start > 0 && ofWords.has(text.charAt(start - 1)))
    start -= 1;
  return text.slice(start, end);
}

function wordAfter(text: string, start: number, ofWords: ReadonlySet<string>): string {
  let end = start;
  while (end - start < MAX_MASKED_PIECE_CHARACTERS && end < text.length && ofWords.has(text.charAt(end)))
    end += 1;
  return text.slice(start, end);
}

function replaceMarked(text: string, marked: Uint8Array): string {
  const parts: string[] = [];
  let done = 0;
  for (let start = marked.indexOf(1); start !== -1; start = marked.indexOf(1, done)) {
    parts.push(text.slice(done, start), REPLACEMENT);
    const end = marked.indexOf(0, start);
    done = end === -1 ? text.length : end;
  }
  return parts.join('') + text.slice(done);
}

/** ASCII alone, so that every character stays where it is. */
function fold(text: string): string {
  return text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
}
