import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { parse as dotenv } from 'dotenv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changeEnvFiles } from '../../lib/local/change-env-files.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const store = async () => {};
const set = (path: string, name: string, value: string | undefined) =>
  new Map([[path, new Map([[name, value]])]]);

async function startFile(content: string): Promise<string> {
  const path = join(await temporaryDirectory(), '.env');
  await writeFile(path, content, 'latin1');
  return path;
}

/** Characters that have a special meaning in some `.env` parser. */
const WILD = [
  ...'AK=\'"`#:\\$ \t\n\r{};~',
  'KEY',
  'KEY=',
  'export ',
  '\nKEY=',
  '\r\n',
  '\n  # ',
  '\xef\xbb\xbf',
  '\xe9',
  '\0',
];

test('whatever the file contains, a change has exactly the intended effect for dotenv and Node, or the file stays unchanged', async () => {
  const path = await startFile('');
  let refusals = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: fc.constantFrom(...WILD), maxLength: 40 }),
      fc.option(fc.constantFrom('sk-1', 'a=b'), { nil: undefined }),
      async (before, value) => {
        await writeFile(path, before, 'latin1');
        const refused = await changeEnvFiles(set(path, 'KEY', value), store).then(
          () => false,
          (error: unknown) => {
            expect(error).toMatchObject({ code: 'env_file_refused' });
            return true;
          },
        );
        const after = await readFile(path, 'latin1');
        if (refused) {
          refusals += 1;
          expect(after).toBe(before);
          return;
        }
        for (const read of [dotenv, parseEnv]) {
          const [was, is] = [withUsableNames(read(before)), withUsableNames(read(after))];
          expect(is.KEY).toBe(value);
          expect({ ...is, KEY: '' }).toEqual({ ...was, KEY: '' });
        }
      },
    ),
    { numRuns: 400 },
  );
  expect(refusals).toBeLessThan(400);
});

/** Names that a program can use. Node also reads other names from unusual lines. */
function withUsableNames(
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => /^[\w.-]+$/.test(name)));
}

describe('changing files and store together', () => {
  test('changes no file and leaves no temporary file if storing fails', async () => {
    const path = await startFile('A=1\n');
    const failing = changeEnvFiles(set(path, 'KEY', 'v'), async () => {
      throw new Error('no store');
    });
    await expect(failing).rejects.toThrow('no store');
    expect(await readFile(path, 'utf8')).toBe('A=1\n');
    expect(await readdir(join(path, '..'))).toEqual(['.env', '.env.userkeys-lock.local']);
  });

  test('stores nothing and changes neither file if one of two files is refused', async () => {
    const good = await startFile('A=1\n');
    const odd = await startFile("Q=''\n  # = \n");
    let stored = false;
    const both = new Map([...set(good, 'KEY', 'v'), ...set(odd, 'KEY', 'v')]);
    const change = changeEnvFiles(both, async () => {
      stored = true;
    });
    await expect(change).rejects.toMatchObject({ code: 'env_file_refused' });
    expect(stored).toBe(false);
    expect(await readFile(good, 'utf8')).toBe('A=1\n');
    expect(await readdir(join(good, '..'))).toEqual(['.env', '.env.userkeys-lock.local']);
  });

  test('readers see the old file until storing succeeds, and then the complete new one', async () => {
    const path = await startFile('A=1\n');
    await changeEnvFiles(set(path, 'KEY', 'v'), async () => {
      expect(await readFile(path, 'utf8')).toBe('A=1\n');
    });
    expect(await readFile(path, 'utf8')).toBe('A=1\nKEY=v\n');
  });

  test('keeps what an editor saves during a change', async () => {
    const path = await startFile('A=1\n');
    await changeEnvFiles(set(path, 'KEY', 'v'), async () => writeFile(path, 'A=2\nB=3\n'));
    expect(await readFile(path, 'utf8')).toBe('A=2\nB=3\nKEY=v\n');
  });

  test('neither the temporary file nor the file is ever readable by others', async () => {
    const path = await startFile('');
    await changeEnvFiles(set(path, 'KEY', 'v'), async () => {
      expect((await stat(`${path}.userkeys-draft.local`)).mode & 0o777).toBe(0o600);
    });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('two changes that need the same two files do not deadlock', async () => {
    const [one, two] = [await startFile(''), await startFile('')];
    const change = (first: string, second: string, name: string) =>
      changeEnvFiles(new Map([...set(first, name, 'v'), ...set(second, name, 'v')]), store);
    await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        index % 2 ? change(one, two, `K${index}`) : change(two, one, `K${index}`),
      ),
    );
    expect(Object.keys(dotenv(await readFile(one)))).toHaveLength(10);
    expect(Object.keys(dotenv(await readFile(two)))).toHaveLength(10);
  });
});
