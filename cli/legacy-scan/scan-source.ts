/** Finds the places in one file that depend on the environment or share something between requests. */
import { type Node, parseSync, Visitor } from 'oxc-parser';
import { catalogue } from '../../lib/providers/catalogue.ts';
import { type FileNames, readFileNames } from './file-names.ts';
import type { Finding, Kind } from './finding.ts';
import { bare, memberName, sources, takenNames } from './syntax.ts';

const VARIABLES: ReadonlySet<string> = new Set(catalogue.flatMap(({ variables }) => variables));

/** Findings in the order of the source; undefined when the file cannot be parsed. */
export function scanSource(file: string, source: string): readonly Finding[] | undefined {
  const { program, errors } = parseSync(file, source, {
    sourceType: 'unambiguous',
    // Files named .js often contain JSX.
    ...(/\.[cm]?js$/.test(file) ? { lang: 'jsx' } : {}),
  });
  if (errors.some(({ severity }) => severity === 'Error')) return undefined;
  const findings: Finding[] = [];
  const lineStarts = [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const note = (kind: Kind, what: string, { start }: Node): void => {
    const line = lineStarts.findLastIndex((offset) => offset <= start);
    findings.push({ file, line: line + 1, column: start - (lineStarts[line] ?? 0) + 1, kind, what });
  };
  visit(readFileNames(program), note).visit(program);
  return findings.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function visit(names: FileNames, note: (kind: Kind, what: string, node: Node) => void): Visitor {
  /** How many functions surround the visited code. 0: the code runs while the module loads. */
  let depth = 0;
  /** Nodes that are written to, and functions that are called where they are defined. */
  const written = new Set<Node>();
  const immediate = new Set<Node>();

  const enter = (node: Node): void => {
    if (!immediate.has(node)) depth += 1;
  };
  const leave = (node: Node): void => {
    if (!immediate.has(node)) depth -= 1;
  };

  const noteTaken = (pattern: Node, from: Node | null): void => {
    if (from === null || !names.isEnvironment(from)) return;
    for (const { name } of takenNames(pattern)) {
      if (VARIABLES.has(name)) note(depth === 0 ? 'read-at-load' : 'read', name, pattern);
    }
  };
  const noteKept = (value: Node): void => {
    for (const source of sources(value)) {
      const made = madeBy(source);
      if (made?.kind === 'client-at-load') note('client-kept', made.what, source);
      if (made?.kind === 'driver') note('driver', made.what, source);
    }
  };
  const madeBy = (node: Node) =>
    node.type === 'NewExpression' || node.type === 'CallExpression' ? names.madeBy(node.callee) : undefined;

  return new Visitor({
    FunctionDeclaration: enter,
    'FunctionDeclaration:exit': leave,
    FunctionExpression: enter,
    'FunctionExpression:exit': leave,
    ArrowFunctionExpression: enter,
    'ArrowFunctionExpression:exit': leave,
    // A field that is not static is set when an object is constructed.
    PropertyDefinition(node) {
      if (node.static) immediate.add(node);
      enter(node);
    },
    'PropertyDefinition:exit': leave,

    VariableDeclarator({ id, init }) {
      noteTaken(id, init);
      if (init === null || depth > 0) return;
      if (names.isEnvironment(init) && id.type === 'Identifier') note('captured', id.name, id);
      if (names.isProcess(init) && takenNames(id).some(({ name }) => name === 'env'))
        note('captured', 'env', id);
    },

    AssignmentExpression({ left, right }) {
      written.add(bare(left));
      noteTaken(left, right);
      if (depth > 0 && isAtTop(left, names)) noteKept(right);
    },

    UnaryExpression({ operator, argument }) {
      if (operator === 'delete') written.add(bare(argument));
    },

    MemberExpression(node) {
      if (!names.isEnvironment(node.object)) return;
      const name = memberName(node);
      if (name === undefined) note('read-by-name', 'process.env[…]', node);
      else if (!VARIABLES.has(name)) return;
      else if (written.has(node)) note('write', name, node);
      else note(depth === 0 ? 'read-at-load' : 'read', name, node);
    },

    CallExpression(node) {
      const callee = bare(node.callee);
      if (callee.type === 'FunctionExpression' || callee.type === 'ArrowFunctionExpression') {
        immediate.add(callee);
      }
      const made = depth === 0 ? madeBy(node) : undefined;
      if (made) note(made.kind, made.what, node);
      // `cache.set(user, new OpenAI())` with a `cache` that outlives the request.
      if (depth > 0 && callee.type === 'MemberExpression' && isAtTop(callee.object, names)) {
        for (const argument of node.arguments) noteKept(argument);
      }
    },

    NewExpression(node) {
      const made = depth === 0 ? madeBy(node) : undefined;
      if (made) note(made.kind, made.what, node);
    },
  });
}

/** Whether this is a module-level variable, or a member of one. */
function isAtTop(node: Node, names: FileNames): boolean {
  const target = bare(node);
  if (target.type === 'Identifier') return names.atTop.has(target.name);
  return target.type === 'MemberExpression' && isAtTop(target.object, names);
}
