import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as dotenv } from 'dotenv';
import { expect, onTestFinished, test } from 'vitest';
import { changeEnvFiles } from '../../lib/local/change-env-files.ts';
import { catalogue, providerIds } from '../../lib/providers/catalogue.ts';
import { call } from '../support/call.ts';
import { compileCache, startWorld } from '../support/start-world.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Time for hundreds of sequential changes on a busy machine. */
const PATIENCE_MS = 120_000;

const NODE = join(import.meta.dirname, '../../node_modules/.bin/node');

function run(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(NODE, [join(import.meta.dirname, script), ...args], {
    env: { PATH: process.env.PATH, ...compileCache(), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function exitCode(child: ChildProcess): Promise<unknown> {
  return (await once(child, 'exit'))[0];
}

test('200 concurrent changes from four processes lose nothing, neither their own nor existing variables', {
  timeout: PATIENCE_MS,
}, async () => {
  const path = join(await temporaryDirectory(), '.env');
  await writeFile(path, '# mine\nexport MINE="a b"\r\n');
  const writers = ['A', 'B', 'C', 'D'].map((prefix) => run('write-variables.ts', [path, prefix, '50']));
  expect(await Promise.all(writers.map(exitCode))).toEqual([0, 0, 0, 0]);
  const expected = ['A', 'B', 'C', 'D'].flatMap((prefix) =>
    Array.from({ length: 50 }, (_, index) => [`${prefix}_${index}`, `value-of-${prefix}_${index}`]),
  );
  const content = await readFile(path, 'utf8');
  expect(dotenv(content)).toEqual({ MINE: 'a b', ...Object.fromEntries(expected) });
  expect(content.startsWith('# mine\nexport MINE="a b"\r\n')).toBe(true);
  expect(content.trimEnd().split('\n')).toHaveLength(202);
});

test('200 concurrent saves from four processes are all counted, and .env ends with the same keys as KV', {
  timeout: PATIENCE_MS,
}, async () => {
  const directory = await temporaryDirectory();
  const world = await startWorld({ mode: 'local', env: { ENV_FILE: join(directory, '.env') } });
  onTestFinished(() => world.close());
  const token = await world.tokenFor('dev');
  const savers = [0, 5, 10, 15].map((first) =>
    run('save-keys.ts', providerIds.slice(first, first + 5), { ...world.env, TOKEN: token, SAVES: '10' }),
  );
  expect(await Promise.all(savers.map(exitCode))).toEqual([0, 0, 0, 0]);

  const { keys } = await (await call(await import('../../api/userkeys.ts'), '/api/keys', { token })).json();
  expect(keys).toHaveLength(20);
  // `written`: the key in .env is the same key that is sealed in KV.
  for (const key of keys) expect(key).toMatchObject({ envFile: 'written', version: 10, status: 'valid' });
  const written = dotenv(await readFile(join(directory, '.env')));
  expect(Object.keys(written).sort()).toEqual(catalogue.map(({ variables }) => variables[0]).sort());
});

test('a process killed during a change leaves the file complete and the lock free', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, '.env');
  await writeFile(path, 'MINE=1\n');
  const victim = run('write-variables.ts', [path, 'VICTIM', '0']);
  if (victim.stdout) await once(victim.stdout, 'data');
  let done = false;
  const change = changeEnvFiles(new Map([[path, new Map([['NEXT', '2']])]]), async () => {
    done = true;
  });
  expect(await readdir(directory)).toContain('.env.userkeys-draft.local');
  expect(done).toBe(false);
  victim.kill('SIGKILL');
  await change;
  expect(await readFile(path, 'utf8')).toBe('MINE=1\nNEXT=2\n');
  expect(await readdir(directory)).toEqual(['.env', '.env.userkeys-lock.local']);
});
