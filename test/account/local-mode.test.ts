import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { call } from '../support/call.ts';
import { newProviderKey, startWorld } from '../support/start-world.ts';
import { temporaryDirectory, writeFiles } from '../support/temporary-directory.ts';
import { findTraces } from './store-dump.ts';

test('in local mode an erasure also removes the keys from .env and keeps its other lines', async () => {
  const directory = await temporaryDirectory();
  await writeFiles(directory, { '.env': '# mine\nOTHER=1\n' });
  const file = join(directory, '.env');
  const world = await startWorld({ mode: 'local', env: { ENV_FILE: file } });
  try {
    const account = await import('../../api/userkeys.ts');
    const key = await import('../../api/userkeys.ts');
    const token = await world.tokenFor('developer');
    const value = newProviderKey();
    await call(key, '/api/keys/openai', { method: 'PUT', token, json: { key: value } });
    expect(await readFile(file, 'utf8')).toContain(value);
    expect((await call(account, '/api/account', { method: 'DELETE', token })).status).toBe(204);
    expect(await readFile(file, 'utf8')).toBe('# mine\nOTHER=1\n');
    expect(await findTraces(world.kv, 'developer')).toEqual([]);
  } finally {
    await world.close();
  }
});
