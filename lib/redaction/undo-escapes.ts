/** What a text says once its escapes are undone, and where in the text each character of that stands. */
import { MAX_ESCAPE_LAYERS } from '../limits.ts';

export type View = {
  readonly plain: string;
  /** Where each character of `plain` begins in the text, and at the end where the text ends. */
  readonly starts: Uint32Array;
};

/** JSON's, percent-encoding and HTML's, of ASCII and what else has four hexadecimal digits. */
const ESCAPE = /\\(?:u([0-9a-f]{4})|(["\\/bfnrt]))|%([2-7][0-9a-f])|&#(?:x([0-9a-f]{1,4})|([0-9]{1,5}));/gi;

/** The text with one layer of escapes undone, with two, and so on; there is always a first view. */
export function undoEscapes(text: string): readonly View[] {
  const starts = new Uint32Array(text.length + 1);
  for (let at = 0; at <= text.length; at += 1) starts[at] = at;
  let last = undoLayer({ plain: text, starts });
  const views = [last];
  while (views.length < MAX_ESCAPE_LAYERS) {
    const next = undoLayer(last);
    if (next.plain.length === last.plain.length) break;
    views.push(next);
    last = next;
  }
  return views;
}

function undoLayer({ plain, starts }: View): View {
  const parts: string[] = [];
  const undone = new Uint32Array(starts.length);
  let length = 0;
  let done = 0;
  const keepUpTo = (end: number) => {
    parts.push(plain.slice(done, end));
    undone.set(starts.subarray(done, end), length);
    length += end - done;
  };
  for (const match of plain.matchAll(ESCAPE)) {
    keepUpTo(match.index);
    parts.push(characterOf(match));
    undone[length] = starts[match.index] ?? 0;
    length += 1;
    done = match.index + match[0].length;
  }
  keepUpTo(plain.length);
  undone[length] = starts[plain.length] ?? 0;
  return { plain: parts.join(''), starts: undone.subarray(0, length + 1) };
}

const SHORT: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

function characterOf([, json, short, percent, hex, decimal]: RegExpExecArray): string {
  if (short !== undefined) return SHORT.get(short) ?? short;
  const code = decimal === undefined ? Number.parseInt(json ?? percent ?? hex ?? '', 16) : Number(decimal);
  return String.fromCharCode(code);
}
