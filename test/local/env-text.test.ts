import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { parse as dotenv } from 'dotenv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readVariables, setVariable } from '../../lib/local/env-text.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const NODE = join(import.meta.dirname, '../../node_modules/.bin/node');

/** The characters of keys, listed independently of the code under test. */
const ALPHABET = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+/=:@%,-'];
const key = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 1, maxLength: 80 });
const name = fc.constantFrom('EXA_API_KEY', 'GROQ_API_KEY', 'HF_TOKEN', 'A', 'B_2', 'VITE_KEY');

/** Common lines: every form that all parsers read the same way. */
const bare = fc.string({ unit: fc.constantFrom(...ALPHABET), maxLength: 20 });
const text = fc.string({ unit: fc.constantFrom(...'abc 12=#:;é'), maxLength: 12 });
const quoted = fc.tuple(fc.constantFrom("'", '"'), text).map(([quote, inner]) => `${quote}${inner}${quote}`);
const severalLines = fc.tuple(text, text).map(([one, two]) => `"${one}\n${two}"`);
const comment = fc.tuple(fc.constantFrom('# ', '#'), text).map(([sign, inner]) => `${sign}${inner}`);
const assignment = fc
  .tuple(fc.constantFrom('', 'export '), name, fc.oneof(bare, quoted, severalLines), fc.option(comment))
  .map(([lead, variable, value, note]) => `${lead}${variable}=${value}${note === null ? '' : ` ${note}`}`);
const line = fc.oneof({ weight: 4, arbitrary: assignment }, comment, fc.constantFrom('', '   '));
const file = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', '\r\n'), fc.boolean())
  .map(([lines, end, ended]) => (lines.join('\n') + (ended ? '\n' : '')).replaceAll('\n', end));

const latin1 = (value: string) => Buffer.from(value).toString('latin1');
const utf8 = (value: string) => Buffer.from(value, 'latin1').toString('utf8');

describe('reading', () => {
  test('reads the same variables as dotenv', () => {
    fc.assert(
      fc.property(file, (content) => {
        const found = [...readVariables(latin1(content))].map(([variable, value]) => [variable, utf8(value)]);
        expect(Object.fromEntries(found)).toEqual(dotenv(content));
      }),
      { numRuns: 2_000 },
    );
  });

  test('reads the same variables as dotenv from random text too', () => {
    const signs = fc.constantFrom(
      ...'AB=\'"`#:\\$ \t\n\r.-',
      'export ',
      'export',
      'A=',
      '\nB=',
      'B: ',
      '\r\n',
    );
    fc.assert(
      fc.property(fc.string({ unit: signs, maxLength: 40 }), (content) => {
        expect(Object.fromEntries(readVariables(content))).toEqual(dotenv(content));
      }),
      { numRuns: 5_000 },
    );
  });

  test.each([
    ['A=1', '1'],
    ['export A=1', '1'],
    ['  export   A = 1  ', '1'],
    ['A: 1', '1'],
    ['A="1"', '1'],
    ["A='1'", '1'],
    ['A=`1`', '1'],
    ['A=1 # note', '1'],
    ['A="1 # 2" # note', '1 # 2'],
    ["A='\\n'", '\\n'],
    ['A="x\\ny"', 'x\ny'],
    ['A="x\ny"', 'x\ny'],
    ['A="x\r\ny"\r\n', 'x\ny'],
    ['A="open', '"open'],
    ['A=first\nA=second', 'second'],
    ['\xef\xbb\xbfA=1', '1'],
    ['A=', ''],
    ['#A=1', undefined],
    ['B="\nA=1\n"', undefined],
    ['A', undefined],
  ])('reads %j as %j', (content, value) => {
    expect(readVariables(content).get('A')).toBe(value);
  });
});

/** Node 24 reads variables named `#` or `export A` from some empty assignments. No program uses such names. */
function named(variables: Readonly<Record<string, string | undefined>>) {
  return Object.fromEntries(Object.entries(variables).filter(([variable]) => /^[\w.-]+$/.test(variable)));
}

describe('writing', () => {
  test('changes exactly one variable, for both dotenv and Node', () => {
    fc.assert(
      fc.property(file, name, fc.option(key, { nil: undefined }), (content, variable, value) => {
        const before = latin1(content);
        const after = setVariable(before, variable, value);
        for (const read of [dotenv, parseEnv]) {
          const { [variable]: _was, ...others } = named(read(before));
          expect(named(read(after))).toEqual(value === undefined ? others : { ...others, [variable]: value });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('is idempotent, and removing an added variable restores the file', () => {
    fc.assert(
      fc.property(file, key, (content, value) => {
        const before = latin1(content);
        const once = setVariable(before, 'NEW_ONE', value);
        expect(setVariable(once, 'NEW_ONE', value)).toBe(once);
        const ended = before === '' || /\n$/.test(before) ? before : once.slice(0, once.indexOf('NEW_ONE'));
        expect(setVariable(once, 'NEW_ONE', undefined)).toBe(ended);
      }),
    );
  });

  test.each([
    [
      'keeps the place, the prefix and the comment',
      'A=0\nexport K=old # mine\n\nB=2',
      'A=0\nexport K=new # mine\n\nB=2',
    ],
    ['keeps Windows line ends', 'A=0\r\nK=old\r\nB=2\r\n', 'A=0\r\nK=new\r\nB=2\r\n'],
    ['appends with the line end of the file', 'A=0\r\nB=2', 'A=0\r\nB=2\r\nK=new\r\n'],
    ['starts a file', '', 'K=new\n'],
    ['replaces a value over several lines', 'K="one\ntwo"\nA=0\n', 'K=new\nA=0\n'],
    ['removes the whole former value if it contains a #', 'K=old#rest\n', 'K=new\n'],
    [
      'keeps only the last of several lines, which is the effective one',
      'K=1\nA=0\nK=2\n#K=3\n',
      'A=0\nK=new\n#K=3\n',
    ],
    ['keeps bytes that are not valid text', '# \xff\xfe\nA=0\n', '# \xff\xfe\nA=0\nK=new\n'],
    ['keeps a byte order mark', '\xef\xbb\xbfA=0\n', '\xef\xbb\xbfA=0\nK=new\n'],
    ['is not joined to a preceding line that ends in a backslash', 'A=0\\\n', 'A=0\\\n\nK=new\n'],
    ['does not change names with the same start or end', 'MY_K=1\nK_2=2\n', 'MY_K=1\nK_2=2\nK=new\n'],
  ])('%s', (_what, before, after) => {
    expect(setVariable(before, 'K', 'new')).toBe(after);
    expect(readVariables(setVariable(before, 'K', undefined)).has('K')).toBe(false);
  });
});

test('a written key is read back unchanged by dotenv, node --env-file, sh and bash', async () => {
  const directory = await temporaryDirectory();
  const values = fc.sample(key, 150);
  values.push(ALPHABET.join(''), '='.repeat(9), '%41%', '-', '--', '@', ':', '/', '.', ',', '+', '1', 'true');
  const path = join(directory, '.env');
  const content = values.reduce(
    (all, value, index) => setVariable(all, `KEY_${index}`, value),
    "# mine\nexport FIRST='a b'\n",
  );
  await writeFile(path, content);
  const names = values.map((_, index) => `KEY_${index}`);

  expect(names.map((variable) => dotenv(content)[variable])).toEqual(values);
  const script = `console.log(JSON.stringify(${JSON.stringify(names)}.map((n) => process.env[n])))`;
  const env = { PATH: process.env.PATH };
  expect(JSON.parse(execFileSync(NODE, [`--env-file=${path}`, '-e', script], { env }).toString())).toEqual(
    values,
  );
  for (const shell of ['sh', 'bash']) {
    const print = names.map((variable) => `printf '%s\\n' "$${variable}"`).join('\n');
    const printed = execFileSync(shell, ['-c', `. ./.env\n${print}`], { cwd: directory, env }).toString();
    expect(printed.trimEnd().split('\n')).toEqual(values);
  }
});
