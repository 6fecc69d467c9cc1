/** Decodes the escape sequences in a text and maps each decoded character to its position in the original. */
import { MAX_ESCAPE_LAYERS } from '../limits.ts';

export type DecodedText = {
  readonly decoded: string;
  /** The position in the original text of each character of `decoded`, then the length of the original text. */
  readonly offsets: Uint32Array;
};

/** Escapes of JSON, percent-encoding and HTML, for ASCII and other characters with up to four hexadecimal digits. */
const ESCAPE = /\\(?:u([0-9a-f]{4})|(["\\/bfnrt]))|%([2-7][0-9a-f])|&#(?:x([0-9a-f]{1,4})|([0-9]{1,5}));/gi;

/** The text after one layer of decoding, after two, and so on. Returns at least one element. */
export function decodeEscapes(text: string): readonly DecodedText[] {
  const offsets = new Uint32Array(text.length + 1);
  for (let at = 0; at <= text.length; at += 1) offsets[at] = at;
  let last = decodeLayer({ decoded: text, offsets });
  const layers = [last];
  while (layers.length < MAX_ESCAPE_LAYERS) {
    const next = decodeLayer(last);
    if (next.decoded.length === last.decoded.length) break;
    layers.push(next);
    last = next;
  }
  return layers;
}

function decodeLayer({ decoded, offsets }: DecodedText): DecodedText {
  const parts: string[] = [];
  const newOffsets = new Uint32Array(offsets.length);
  let length = 0;
  let copiedTo = 0;
  const copyUpTo = (end: number) => {
    parts.push(decoded.slice(copiedTo, end));
    newOffsets.set(offsets.subarray(copiedTo, end), length);
    length += end - copiedTo;
  };
  for (const match of decoded.matchAll(ESCAPE)) {
    copyUpTo(match.index);
    parts.push(characterOf(match));
    newOffsets[length] = offsets[match.index] ?? 0;
    length += 1;
    copiedTo = match.index + match[0].length;
  }
  copyUpTo(decoded.length);
  newOffsets[length] = offsets[decoded.length] ?? 0;
  return { decoded: parts.join(''), offsets: newOffsets.subarray(0, length + 1) };
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

function characterOf([, json, short, percent, hex, decimal]: RegExpExecArray): string {
  if (short !== undefined) return SHORT_ESCAPES.get(short) ?? short;
  const code = decimal === undefined ? Number.parseInt(json ?? percent ?? hex ?? '', 16) : Number(decimal);
  return String.fromCharCode(code);
}
