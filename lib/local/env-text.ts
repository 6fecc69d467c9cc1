/**
 * The text of an `.env` file: what it says, and changing one variable of it. Texts here are bytes, one character
 * each (latin1), so that a file in any encoding comes out as it went in.
 *
 * The dialect is dotenv's, which most readers follow: `NAME=value`, `export NAME=value`, `NAME: value`; values
 * bare, or in ', " or `, then also over several lines; `#` begins a comment outside of quotes; of two lines
 * with the same name the later one counts.
 */

type Assignment = {
  readonly name: string;
  readonly value: string;
  /** Where its first line begins, and where the line after its last one does. */
  readonly start: number;
  readonly end: number;
  /** What stands before the name, and what after the value: white space and a comment. */
  readonly lead: string;
  readonly trail: string;
  readonly lineEnd: string;
};

const UTF8_MARK = '\xef\xbb\xbf';
const LINE_END = '(?:\\r\\n?|\\n|(?![^]))';
/** As in dotenv, white space around the sign may hold line ends. */
const HEAD = /(?<lead>[ \t]*(?:export[ \t]+)?)(?<name>[\w.-]+)(?:\s*=|:(?:\r\n?|\s))/y;
const QUOTED = new RegExp(
  `\\s*(?<raw>'(?:\\\\'|[^'])*'|"(?:\\\\"|[^"])*"|\`(?:\\\\\`|[^\`])*\`)` +
    `(?<trail>[ \\t]*(?:#[^\\r\\n]*)?)(?<lineEnd>${LINE_END})`,
  'y',
);
const BARE = new RegExp(
  `[ \\t]*(?<raw>[^#\\r\\n]*?)(?<trail>[ \\t]*(?:#[^\\r\\n]*)?)(?<lineEnd>${LINE_END})`,
  'y',
);
const OTHER_LINE = new RegExp(`[^\\r\\n]*${LINE_END}`, 'y');

/** Its variables. */
export function readVariables(text: string): ReadonlyMap<string, string> {
  return new Map(findAssignments(text).map(({ name, value }) => [name, value]));
}

/**
 * The text with the variable set, or taken out when `value` is undefined. A line that sets it already is changed
 * in its place, the last one if there are several; the others go, so that every reader finds the same value. All
 * other lines, comments and line ends stay, byte for byte. The value must be one that needs no quotes.
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
    const { lead, trail, lineEnd } = assignment;
    // A `#` that touches the former value may be a part of it.
    const comment = /^[ \t]/.test(trail) ? trail : '';
    changed += `${endContinuation(changed)}${lead}${name}=${value}${comment}${lineEnd}`;
  }
  return changed + text.slice(copied);
}

function append(text: string, line: string): string {
  const lineEnd = /\r?\n/.exec(text)?.[0] ?? '\n';
  const before = text === '' || text === UTF8_MARK || /[\r\n]$/.test(text) ? text : text + lineEnd;
  return `${before}${endContinuation(before)}${line}${lineEnd}`;
}

/** To a shell, a backslash at the end of a line pulls the next one up; an empty line is what it may have. */
function endContinuation(before: string): string {
  return /\\(\r?\n)$/.exec(before)?.[1] ?? '';
}

function findAssignments(text: string): readonly Assignment[] {
  const found: Assignment[] = [];
  let position = text.startsWith(UTF8_MARK) ? UTF8_MARK.length : 0;
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
  const { lead = '', name = '' } = head.groups;
  const { raw = '', trail = '', lineEnd = '' } = rest.groups;
  return { name, value: unquote(raw), start, end: rest.end, lead, trail, lineEnd };
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
