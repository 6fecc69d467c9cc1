import { execFile } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../lib/config.ts';
import { ConfigError } from '../../lib/errors.ts';
import { newProviderKey, startWorld } from '../support/start-world.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const ROOT = join(import.meta.dirname, '../..');
const printed = z.object({ loaded: z.array(z.string()), answers: z.array(z.string()) });

test('production neither reads nor writes the files, nor loads modules that could', async () => {
  const directory = await temporaryDirectory();
  const envFile = join(directory, '.env');
  const frontendFile = join(directory, 'web.env');
  const byHand = `OPENAI_API_KEY=${newProviderKey()}\nCOPILOTKIT_API_KEY=${newProviderKey()}\n`;
  await writeFile(envFile, byHand);
  await writeFile(frontendFile, '');
  const before = await stat(envFile);
  const world = await startWorld({
    mode: 'production',
    applyEnv: false,
    env: {
      ENV_FILE: envFile,
      FRONTEND_ENV_FILE: frontendFile,
      FRONTEND_ENV_NAME: 'VITE_COPILOTKIT_API_KEY',
    },
  });
  onTestFinished(() => world.close());

  // Under Node's permission model, opening a file outside of the project or for writing throws.
  const { stdout } = await promisify(execFile)(
    join(ROOT, 'node_modules/.bin/node'),
    ['--permission', `--allow-fs-read=${ROOT}/*`, join(import.meta.dirname, 'call-in-production.ts')],
    {
      cwd: directory,
      env: {
        ...world.env,
        PATH: process.env.PATH,
        TOKEN: await world.tokenFor('ann'),
        KEY: newProviderKey('ck_pub_'),
      },
    },
  );
  const { loaded, answers } = printed.parse(JSON.parse(stdout));
  expect(loaded).toEqual([]);
  expect(answers.map((answer) => answer.slice(0, 3))).toEqual(['201', '200', '200', '204', '403']);
  expect(answers.join()).not.toContain('envFile');
  expect(answers[4]).toContain('key_missing');

  expect(await readFile(envFile, 'utf8')).toBe(byHand);
  expect(await readFile(frontendFile, 'utf8')).toBe('');
  expect((await stat(envFile)).mtimeMs).toBe(before.mtimeMs);
  expect((await readdir(directory)).sort()).toEqual(['.env', 'web.env']);
});

test('only local mode has env files, and it does not start with only one of the frontend settings', async () => {
  const world = await startWorld({ applyEnv: false });
  onTestFinished(() => world.close());
  const load = (env: Readonly<Record<string, string>>) => loadConfig({ ...world.env, ...env });
  expect(load({ FRONTEND_ENV_FILE: 'web/.env' }).localFiles).toBeUndefined();
  expect(load({ DEPLOY_ENV: 'local', ENV_FILE: '' }).localFiles).toEqual({
    envFile: '.env',
    frontend: undefined,
  });
  for (const [set, missing] of [
    ['FRONTEND_ENV_FILE', 'FRONTEND_ENV_NAME'],
    ['FRONTEND_ENV_NAME', 'FRONTEND_ENV_FILE'],
  ] as const) {
    const start = () => load({ DEPLOY_ENV: 'local', [set]: 'something' });
    expect(start).toThrow(ConfigError);
    expect(start).toThrow(`${missing}: is missing`);
  }
});
