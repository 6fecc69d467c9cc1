import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Expression, type Node, parseSync, Visitor } from 'oxc-parser';
import { describe, expect, test } from 'vitest';

/** Numbers that are no limits, by file and name. */
const NO_LIMITS: ReadonlyMap<string, string> = new Map([
  ['local/file-lock.ts SQLITE_BUSY', 'an error code of SQLite'],
  ['usage/price-table.ts MILLION', 'what prices are given for'],
]);

const CONSTANT = /^[A-Z][A-Z0-9_]*$/;
/** How the name of a limit ends, in `camelCase`. */
const UNIT =
  /(?:Ms|Millis|Milliseconds|Seconds|Minutes|Hours|Days|Bytes|Characters|Length|Size|Tries|Retries|Attempts|Depth|Timeout|Entries|Count)$|^(?:timeout|depth|tries|retries|attempts)$/;
const CAPS = new Set(['max', 'min', 'length', 'lt', 'lte', 'gt', 'gte', 'timeout', 'slice']);
const TIMERS = new Set(['setTimeout', 'setInterval', 'wait']);
const SIZES = new Set(['length', 'size', 'byteLength']);
/** Numbers up to this one, where they are passed or compared, are positions and counts of parts. */
const LARGEST_PART = 10;

/** Every numeric limit in a file that is not named in lib/limits.ts, as `line: what it is`. */
function findLimits(path: string, text: string): readonly string[] {
  const { program, errors } = parseSync(path, text);
  expect(errors).toEqual([]);
  const found: string[] = [];
  const report = (node: Node, name: string) => {
    const line = text.slice(0, node.start).split('\n').length;
    if (!NO_LIMITS.has(`${path} ${name}`)) found.push(`${line}: ${name}`);
  };

  /** A name with its unit, or a constant, that is given a number. */
  const checkNamed = (node: Node, name: string | undefined, value: Node | null | undefined) => {
    if (name === undefined || !value) return;
    const number = numberIn(value);
    if (number === undefined) return;
    const isLimit = CONSTANT.test(name) ? number >= 0 : UNIT.test(name) && number > 0;
    if (isLimit) report(node, name);
  };

  new Visitor({
    VariableDeclarator: (node) => checkNamed(node, nameOf(node.id), node.init),
    PropertyDefinition: (node) => checkNamed(node, nameOf(node.key), node.value),
    Property: (node) => checkNamed(node, nameOf(node.key), node.value),
    AssignmentPattern: (node) => checkNamed(node, nameOf(node.left), node.right),
    AssignmentExpression: (node) => {
      if (node.operator === '=') checkNamed(node, nameOf(node.left), node.right);
    },
    CallExpression: (node) => {
      const name = nameOf(node.callee);
      if (name === undefined) return;
      const isMember = node.callee.type === 'MemberExpression';
      if (!(isMember && CAPS.has(name)) && !TIMERS.has(name)) return;
      const numbers = node.arguments.flatMap((argument) => numberIn(argument) ?? []);
      if (numbers.some((number) => Math.abs(number) > LARGEST_PART)) report(node, `${name}()`);
    },
    BinaryExpression: (node) => {
      if (!/^[<>]=?$/.test(node.operator)) return;
      for (const [size, bound] of [[node.left, node.right] as const, [node.right, node.left] as const]) {
        const name = nameOf(size);
        if (name === undefined) continue;
        const largest = SIZES.has(name) ? LARGEST_PART : UNIT.test(name) ? 1 : Number.POSITIVE_INFINITY;
        if ((numberIn(bound) ?? 0) > largest) report(node, `${name} ${node.operator}`);
      }
    },
  }).visit(program);
  return found;
}

function nameOf(node: Node): string | undefined {
  if (node.type === 'Identifier' || node.type === 'PrivateIdentifier') return node.name;
  if (node.type === 'MemberExpression') return nameOf(node.property);
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
  return undefined;
}

/**
 * The number that an expression stands for: a literal, or arithmetic with one, in which constants count as 1. Undefined
 * for anything else, and for numbers in hexadecimal, octal and binary: those are bytes, permissions and flags.
 */
function numberIn(node: Node | Expression): number | undefined {
  switch (node.type) {
    case 'Literal':
      return typeof node.value === 'number' && !/^0[xob]/i.test(node.raw ?? '') ? node.value : undefined;
    case 'UnaryExpression': {
      const number = numberIn(node.argument);
      return number === undefined || node.operator !== '-' ? number : -number;
    }
    case 'ParenthesizedExpression':
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
      return numberIn(node.expression);
    case 'BinaryExpression':
      return arithmetic(node.operator, node.left, node.right);
    default:
      return undefined;
  }
}

function arithmetic(operator: string, left: Node, right: Node): number | undefined {
  const operands = [left, right].map((node) => ({
    number: numberIn(node),
    isConstant: node.type === 'Identifier' && CONSTANT.test(node.name),
  }));
  if (operands.every(({ number }) => number === undefined)) return undefined;
  if (operands.some(({ number, isConstant }) => number === undefined && !isConstant)) return undefined;
  const [a = 1, b = 1] = operands.map(({ number }) => number ?? 1);
  const results: Readonly<Record<string, number>> = {
    '+': a + b,
    '-': a - b,
    '*': a * b,
    '/': a / b,
    '**': a ** b,
  };
  return results[operator];
}

const lib = join(import.meta.dirname, '../../lib');
const paths = (await readdir(lib, { recursive: true })).filter((path) => path.endsWith('.ts')).sort();

describe('lib/', () => {
  test.each(paths.filter((path) => path !== 'limits.ts'))(
    '%s names its limits in lib/limits.ts',
    async (path) => {
      expect(findLimits(path, await readFile(join(lib, path), 'utf8'))).toEqual([]);
    },
  );

  test('limits.ts says the unit of each limit at the end of its name', async () => {
    const text = await readFile(join(lib, 'limits.ts'), 'utf8');
    const names = [...text.matchAll(/^export const (\w+)/gm)].map(([, name]) => name ?? '');
    expect(names.length).toBeGreaterThan(80);
    const things =
      /_(?:MS|SECONDS|HOURS|DAYS|MONTHS|MINUTE|DAY|BYTES|CHARACTERS|BITS|FACTOR|DEPTH|LAYERS|ROUNDS|TRIES|VALUES|ERRORS|RESULTS|CONNECTIONS|ERASURES|KEYS|MODELS|FIELDS|CHUNKS|ENTRIES|USERS|COUNT|REQUESTS|STEPS|CALLS|GROUPS|SHARE)$/;
    expect(names.filter((name) => !things.test(name))).toEqual([]);
  });

  test.each([...NO_LIMITS])('%s is still there', async (place) => {
    const [path = '', name = ''] = place.split(' ');
    expect(await readFile(join(lib, path), 'utf8')).toContain(`const ${name} = `);
  });
});

describe('a limit outside lib/limits.ts is found', () => {
  test.each([
    'const MAX_ITEMS = 3;',
    'export const MAX_BODY_BYTES = 64 * 1024;',
    'const WAIT_MS = 2 ** 4 + (5 - 1);',
    'const LATER_MS = 3 * DAY_MS;',
    'const MOST = 5 as const;',
    'const MOST = -(-5);',
    'const timeoutMs = 500;',
    'const { maxTries = 4 } = options;',
    'function send(maxBytes = 1_000) {}',
    'class Cache { maxAgeSeconds = 60; }',
    'class Cache { #maxEntries = 60; }',
    'settings.idleTimeoutMs = 5_000;',
    'z.string().max(4_096)',
    'z.string().min(16)',
    'z.array(item).length(12)',
    'z.number().lte(1e6)',
    'text.slice(0, 500)',
    'text.slice(-64 * 1024)',
    'Math.min(size, 100)',
    'setTimeout(stop, 3_000)',
    'setTimeout(stop, 3 * 1_000)',
    'setInterval(look, 50)',
    'await wait(25)',
    'AbortSignal.timeout(3_000)',
    'send({ answerTimeoutMs: 3_000 })',
    'send({ "answerTimeoutMs": 3_000 })',
    'cap({ maxBytes: 5 })',
    'retry({ maxTries: 3 })',
    'walk({ maxDepth: 4 })',
    'keep({ lifetimeSeconds: 15 * 60 })',
    'new Agent({ keepAliveTimeout: 10_000 })',
    'new DatabaseSync(path, { timeout: 50 })',
    'if (text.length > 4_096) refuse();',
    'if (4_096 < bytes.byteLength) refuse();',
    'if (cache.size >= 20) refuse();',
    'for (let tries = 0; tries < 3; tries += 1) send();',
    'if (waitedMs > 100) stop();',
  ])('%s', (text) => {
    expect(findLimits('fixture.ts', text)).toHaveLength(1);
  });
});

describe('what is no limit is left alone', () => {
  test.each([
    'const QUOTE = 0x22;',
    'const MODE = 0o600;',
    'const ERASED = -2;',
    'const NULL_BODY_STATUSES = new Set([204, 205, 304]);',
    'const WORDS_PER_ENTRY = 2 * fields.length;',
    'const MAX_BODY_BYTES = limits.maxBodyBytes;',
    'let heldCharacters = 0;',
    'cap({ maxBytes: MAX_JSON_BYTES })',
    'new DatabaseSync(path, { timeout: 0 })',
    'if (status >= 400) fail();',
    'z.string().min(1)',
    'text.slice(0, 8)',
    'setTimeout(stop, timeoutMs)',
    'z.string().max(MAX_KEY_CHARACTERS)',
    'Math.max(...sizes)',
    'json(value, 201)',
  ])('%s', (text) => {
    expect(findLimits('fixture.ts', text)).toEqual([]);
  });
});
