import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLocalKeys } from '../../lib/local/local-keys.ts';
import { findProvider } from '../../lib/providers/catalogue.ts';
import { Secret } from '../../lib/secret.ts';
import { newProviderKey } from '../support/start-world.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const copilotkit = findProvider('copilotkit');
if (copilotkit === undefined) throw new Error('CopilotKit is not in the catalogue.');

test('the frontend’s file may be .env itself: both variables are set and removed in one change', async () => {
  const directory = await temporaryDirectory();
  const envFile = join(directory, '.env');
  await writeFile(envFile, 'REACT_APP_COPILOTKIT_API_KEY=old\nA=1\n');
  const frontend = { envFile: join(directory, '.', '.env'), variable: 'REACT_APP_COPILOTKIT_API_KEY' };
  const localKeys = createLocalKeys({ envFile, frontend });
  const value = newProviderKey('ck_pub_');
  await localKeys.save(copilotkit, new Secret(value), async () => {});
  expect(await readFile(envFile, 'utf8')).toBe(
    `REACT_APP_COPILOTKIT_API_KEY=${value}\nA=1\nCOPILOTKIT_API_KEY=${value}\n`,
  );
  await localKeys.remove(['copilotkit'], async () => {});
  expect(await readFile(envFile, 'utf8')).toBe('A=1\n');
});

test('saving a browser key that cannot be written removes the former key from the frontend’s file', async () => {
  const directory = await temporaryDirectory();
  const frontendFile = join(directory, '.env.local');
  await writeFile(frontendFile, 'VITE_COPILOTKIT_API_KEY=former\nVITE_TITLE=Mine\n');
  const localKeys = createLocalKeys({
    envFile: join(directory, '.env'),
    frontend: { envFile: frontendFile, variable: 'VITE_COPILOTKIT_API_KEY' },
  });
  const saved = await localKeys.save(copilotkit, new Secret('ck_pub_$HOME'), async () => 'stored');
  expect(saved).toEqual({ stored: 'stored', envFile: 'kv-only' });
  expect(await readFile(frontendFile, 'utf8')).toBe('VITE_TITLE=Mine\n');
  expect(await readdir(directory)).not.toContain('.env');
});
