/**
 * Parses the text of an `.env` file and changes single variables in it. Text is decoded as latin1, one character for
 * each byte, so a file in any encoding is written back unchanged.
 *
 * The syntax is dotenv's, which most programs follow: `NAME=value`, `export NAME=value`, `NAME: value`. A value is
 * bare, or quoted with ', " or `; quoted values may span lines. `#` starts a comment outside of quotes. If a name
 * occurs twice, the later line counts.
 */

type Assignment = {
  readonly name: string;
  readonly value: string;
  /** The offset of its first line, and of the line after its last one. */
  readonly start: number;
  readonly end: number;
  /** White space and `export` before the name; white space and a comment after the value. */
  readonly prefix: string;
  readonly suffix: string;
  readonly lineEnd: string;
};

const UTF8_BOM = '\xef\xbb\xbf';
const LINE_END = '(?:\\r\\n?|\\n|(?![^]))';
/** As in dotenv, the white space around `=` may contain line ends. */
const HEAD = /(?<prefix>[ \t]*(?:export[ \t]+)?)(?<name>[\w.-]+)(?:\s*=|:(?:\r\n?|\s))/y;
const QUOTED = new RegExp(
  `\\s*(?<raw>'(?:\\\\'|[^'])*'|"(?:\\\\"|[^"])*"|\`(?:\\\\\`|[^\`])*\`)` +
    `(?<suffix>[ \\t]*(?:#[^\\r\\n]*)?)(?<lineEnd>${LINE_END})`,
  'y',
);
const BARE = new RegExp(
  `[ \\t]*(?<raw>[^#\\r\\n]*?)(?<suffix>[ \\t]*(?:#[^\\r\\n]*)?)(?<lineEnd>${LINE_END})`,
  'y',
);
const OTHER_LINE = new RegExp(`[^\\r\\n]*${LINE_END}`, 'y');

/** The variables that the text sets. */
export function readVariables(text: string): ReadonlyMap<string, string> {
  return new Map(findAssignments(text).map(({ name, value }) => [name, value]));
}

/**
 * Returns the text with the variable set, or removed if `value` is undefined. If lines already set it, the last one
 * is changed in place and the others are removed, so that every program reads the same value. All other lines,
 * comments and line ends stay byte for byte. The value must not need quotes.
 */
export function setVariable(text: string, name: string, value: string | undefined): string {
  const present = findAssignments(text).filter((assignment) => assignment.name === name);
  const last = present.at(-1);
  if (value !== undefined && last === undefined) return append(text, `${name}=${value}`);
  let changed = '';
  let copied = 0;
  for (const assignment of present) {
    changed += text.slice(copied, assignment.start);
    copied = assignment.end;
    if (value === undefined || assignment !== last) continue;
    const { prefix, suffix, lineEnd } = assignment;
    // A `#` directly after the old value may be part of that value.
    const comment = /^[ \t]/.test(suffix) ? suffix : '';
    changed += `${endContinuation(changed)}${prefix}${name}=${value}${comment}${lineEnd}`;
  }
  return changed + text.slice(copied);
}

function append(text: string, line: string): string {
  const lineEnd = /\r?\n/.exec(text)?.[0] ?? '\n';
  const before = text === '' || text === UTF8_BOM || /[\r\n]$/.test(text) ? text : text + lineEnd;
  return `${before}${endContinuation(before)}${line}${lineEnd}`;
}

/** In a shell, a backslash at the end of a line joins the next line. An empty line in between protects the variable. */
function endContinuation(before: string): string {
  return /\\(\r?\n)$/.exec(before)?.[1] ?? '';
}

function findAssignments(text: string): readonly Assignment[] {
  const found: Assignment[] = [];
  let position = text.startsWith(UTF8_BOM) ? UTF8_BOM.length : 0;
  while (position < text.length) {
    const assignment = assignmentAt(text, position);
    if (assignment !== undefined) found.push(assignment);
    position = assignment?.end ?? matchAt(OTHER_LINE, text, position)?.end ?? text.length;
  }
  return found;
}

function assignmentAt(text: string, start: number): Assignment | undefined {
  const head = matchAt(HEAD, text, start);
  if (head === undefined) return undefined;
  const rest = matchAt(QUOTED, text, head.end) ?? matchAt(BARE, text, head.end);
  if (rest === undefined) return undefined;
  const { prefix = '', name = '' } = head.groups;
  const { raw = '', suffix = '', lineEnd = '' } = rest.groups;
  return { name, value: unquote(raw), start, end: rest.end, prefix, suffix, lineEnd };
}

function matchAt(pattern: RegExp, text: string, position: number) {
  pattern.lastIndex = position;
  const match = pattern.exec(text);
  return match === null ? undefined : { groups: match.groups ?? {}, end: position + match[0].length };
}

function unquote(raw: string): string {
  const quote = raw[0];
  const quoted = raw.length > 1 && raw.at(-1) === quote && /^['"`]/.test(raw);
  const inner = (quoted ? raw.slice(1, -1) : raw).replaceAll(/\r\n?/g, '\n');
  return quote === '"' ? inner.replaceAll('\\n', '\n').replaceAll('\\r', '\r') : inner;
}
