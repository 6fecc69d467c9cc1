/** From a `.env`: its provider variables become the keys of a named user. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type RunningKv, startKv } from '../../../dev/kv/start-kv.ts';
import { deleteAllKeys, deleteKey } from '../../../lib/keys/delete-keys.ts';
import { query } from '../../../lib/kv/query.ts';
import { runWrite } from '../../support/run-write.ts';
import { newMasterKey, newProviderKey, TEST_TENANT } from '../../support/start-world.ts';
import { userId } from '../../support/user-ids.ts';
import { runMigrate } from './run-migrate.ts';
import { openStored, type Stored } from './stored-users.ts';

let kv: RunningKv;
let env: Readonly<Record<string, string>>;
let stored: Stored;
const directory = mkdtempSync(join(tmpdir(), 'env-file-'));
const file = join(directory, '.env');

beforeAll(async () => {
  kv = await startKv();
  env = {
    DEPLOY_ENV: 'production',
    KV_REST_API_URL: kv.url,
    KV_REST_API_TOKEN: kv.token,
    AUTH_ISSUER: 'https://issuer.example',
    AUTH_AUDIENCE: 'userkeys',
    AUTH_TENANT: TEST_TENANT,
    VAULT_KEYS: newMasterKey(),
  };
  stored = await openStored(env);
});
afterAll(() => kv.close());
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => kv && stored.kv.run(query((pipeline) => pipeline.flushdb(), z.unknown())));

const args = ['env', '--user', 'anna', '--file', file];

it('moves each provider’s key, quoted or not, and nothing else', async () => {
  const [gemini, openai, exa] = [newProviderKey(), newProviderKey(), newProviderKey()];
  writeFileSync(
    file,
    `# keys\nexport OPENAI_API_KEY="${openai}"\nGOOGLE_API_KEY=${gemini}\nEXA_API_KEY='${exa}' # exa\n` +
      'GROQ_API_KEY=\nOTHER=thing\nOPENAI_BASE_URL=https://elsewhere.example\n',
  );
  const dry = await runMigrate(args, env);
  expect(dry.output).toContain('dry run');
  expect(await stored.keysOf('anna')).toEqual({});

  const { code, output } = await runMigrate([...args, '--apply'], env);
  expect(code).toBe(0);
  expect(output).toMatch(/keys +3 +0 +0 +0/);
  for (const key of [gemini, openai, exa]) expect(output).not.toContain(key);
  expect(await stored.keysOf('anna')).toEqual({ gemini, openai, exa });

  expect((await runMigrate([...args, '--apply'], env)).output).toMatch(/keys +0 +3 +0 +0/);
});

it('overwrites nothing that the user has stored after the file was written', async () => {
  const newer = newProviderKey();
  writeFileSync(file, `OPENAI_API_KEY=${newProviderKey()}\n`);
  await stored.save('anna', 'openai', newer, new Date(Date.now() + 60_000));
  const { code, output } = await runMigrate([...args, '--apply'], env);
  expect(code).toBe(0);
  expect(output).toContain('the user has stored a newer key');
  expect(await stored.keysOf('anna')).toEqual({ openai: newer });
});

it.each([
  ['this key', deleteKey(userId('anna'), 'openai')],
  ['all keys', deleteAllKeys(userId('anna'))],
])(
  'does not bring back what its owner has deleted since, however often it is repeated: %s',
  async (_what, deletion) => {
    const [openai, later] = [newProviderKey(), newProviderKey()];
    writeFileSync(file, `OPENAI_API_KEY=${openai}\n`);
    expect((await runMigrate([...args, '--apply'], env)).code).toBe(0);
    expect(await stored.keysOf('anna')).toEqual({ openai });
    await stored.kv.run(runWrite(deletion));

    // The old system changes the key, too.
    for (const value of [openai, later]) {
      writeFileSync(file, `OPENAI_API_KEY=${value}\n`);
      for (const apply of [[], ['--apply']]) {
        const { code, output } = await runMigrate([...args, ...apply], env);
        expect(code).toBe(0);
        expect(output).toMatch(/keys +0 +0 +1 +0/);
        expect(output).toContain('1 × key skipped: deleted by its owner since (anna)');
        expect(await stored.keysOf('anna')).toEqual({});
      }
    }
    // A key that its owner saves again is the owner's.
    await stored.save('anna', 'openai', openai, new Date('2026-01-01T00:00:00Z'));
    expect((await runMigrate([...args, '--apply'], env)).output).toContain(
      'deleted by its owner since (anna)',
    );
    expect(await stored.keysOf('anna')).toEqual({ openai });
  },
);

it('moves a key of another provider after its owner has deleted one', async () => {
  const exa = newProviderKey();
  writeFileSync(file, `EXA_API_KEY=${exa}\n`);
  await stored.kv.run(runWrite(deleteKey(userId('anna'), 'openai')));
  expect((await runMigrate([...args, '--apply'], env)).output).toMatch(/keys +1 +0 +0 +0/);
  expect(await stored.keysOf('anna')).toEqual({ exa });
});

it('takes its settings from a file, when told so', async () => {
  const key = newProviderKey();
  writeFileSync(file, `OPENAI_API_KEY=${key}\n`);
  const settings = join(directory, '.env.production');
  writeFileSync(
    settings,
    Object.entries(env)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  expect((await runMigrate([...args, '--settings', settings, '--apply'], {})).code).toBe(0);
  expect(await stored.keysOf('anna')).toEqual({ openai: key });
});

it.each([
  ['no user', ['env'], "Required option '--user <sub>' not specified."],
  ['a user that cannot exist', ['env', '--user', 'ünsafe'], 'Give 1 to 255 printable ASCII characters.'],
  ['an unknown source', ['mysql'], "Unknown command 'mysql'."],
  ['an unknown option', ['env', '--user', 'anna', '--force'], "Unknown option '--force'."],
  ['nothing', [], 'A command is missing: env or postgres or tenant.'],
])('exits with 2 and says why for %s', async (_name, wrong, reason) => {
  const { code, output } = await runMigrate(wrong, env);
  expect(output).toContain(reason);
  expect(output).toContain('Help: npm run migrate -- ');
  expect(code).toBe(2);
});

it('prints its help when asked, and exits with 0', async () => {
  const { code, output } = await runMigrate(['env', '--help'], env);
  expect(output).toContain('npm run migrate -- env --user');
  expect(code).toBe(0);
});

it('fails with a sentence when there is no file, or a setting is missing, and says where it looked', async () => {
  const none = join(directory, 'none');
  expect(await runMigrate(['env', '--user', 'anna', '--file', none], env)).toEqual({
    code: 1,
    output: expect.stringContaining(`There is no such file (--file ${none}).`),
  });
  expect(await runMigrate([...args, '--settings', none], env)).toEqual({
    code: 1,
    output: expect.stringContaining(`There is no such file (--settings ${none}).`),
  });
  const { VAULT_KEYS: _, ...incomplete } = env;
  expect(await runMigrate(args, incomplete)).toEqual({
    code: 1,
    output: expect.stringMatching(/Not configured\. VAULT_KEYS.*\n.*Looked in the environment; --settings/),
  });
});
