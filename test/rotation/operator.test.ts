/** `npm run rotate` and `npm run account` as an operator runs them. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RunningKv, startKv } from '../../dev/kv/start-kv.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { dumpStore } from '../account/store-dump.ts';
import { newMasterKey, newProviderKey } from '../support/start-world.ts';
import { temporaryDirectory, writeFiles } from '../support/temporary-directory.ts';
import { connect, fillStore, ringOf } from './fill-store.ts';

const OPERATOR = resolve(import.meta.dirname, '../../dev/operator');
const [k0, k1, k2] = [newMasterKey('k0'), newMasterKey('k1'), newMasterKey('k2')];

let store: RunningKv;
let kv: Kv;
let providerKey: string;

beforeEach(async () => {
  store = await startKv({ engine: 'embedded' });
  kv = connect(store);
  providerKey = newProviderKey();
});
afterEach(() => store.close());

type Ran = { readonly code: number; readonly text: string };

/** Runs a command with these master keys. What it prints, wherever, holds no key of any kind. */
async function run(vaultKeys: string, file: string, ...args: readonly string[]): Promise<Ran> {
  const env = {
    PATH: process.env.PATH,
    KV_REST_API_URL: store.url,
    KV_REST_API_TOKEN: store.token,
    VAULT_KEYS: vaultKeys,
  };
  const cwd = await temporaryDirectory();
  const ran = await new Promise<Ran>((done) => {
    execFile(process.execPath, [resolve(OPERATOR, file), ...args], { env, cwd }, (error, out, err) => {
      done({ code: error ? Number(error.code) : 0, text: out + err });
    });
  });
  for (const secret of [store.token, providerKey, ...vaultKeys.split(',').map((key) => key.split(':')[1])]) {
    if (secret) expect(ran.text).not.toContain(secret);
  }
  return ran;
}
const rotate = (vaultKeys: readonly string[], ...args: readonly string[]) =>
  run(vaultKeys.join(','), 'rotate.ts', ...args);
const fill = async (masterKey: string, ...users: readonly string[]) =>
  fillStore(kv, await ringOf(masterKey), users, ['openai'], () => providerKey);
const records = async () =>
  (await dumpStore(store)).filter((line) => line.startsWith('userkeys:keys:')).sort();

describe('npm run rotate', () => {
  test('counts in a dry run, changes no record, and says that the old key must stay', async () => {
    await fill(k1, 'a', 'b');
    const before = await records();
    const { code, text } = await rotate([k2, k1], '--dry-run');
    expect(code).toBe(0);
    expect(text).toMatch(/k1 +2 +still needed/);
    expect(text).toContain('k1 must stay in VAULT_KEYS: 2 records need it.');
    expect(text).not.toContain('can be removed');
    expect(text).not.toContain('✗');
    expect(await records()).toEqual(before);
  });

  test('seals anew, says that the old key can be removed, and the keys open without it', async () => {
    await fill(k1, 'a', 'b', 'c');
    const { code, text } = await rotate([k2, k1]);
    expect(code).toBe(0);
    expect(text).toContain('100 %');
    expect(text.match(/3 records of 3 users, 3 sealed anew/g)).toHaveLength(1);
    expect(text).toContain('k1 can be removed from VAULT_KEYS: no record needs it.');
    const after = await rotate([k2]);
    expect(after.code).toBe(0);
    expect(after.text).toMatch(/k2 +3 +seals/);
  });

  test('does not advise to remove or retire a key that has just been added, to be promoted next', async () => {
    await fill(k1, 'a');
    for (const args of [['--dry-run'], []]) {
      const { code, text } = await rotate([k1, k2], ...args);
      expect(code).toBe(0);
      expect(text).toContain('No record needs k2. If you have just added it: put it first in VAULT_KEYS');
      expect(text).not.toContain('can be removed');
    }
  });

  test('refuses to call a key removable that a record of an unknown provider needs', async () => {
    await fill(k1, 'a');
    await kv.ask({
      commands: 1,
      add: (batch) =>
        batch.eval(
          `redis.call('HSET', KEYS[1], 'later', redis.call('HGET', KEYS[1], 'openai')) return 1`,
          ['userkeys:keys:a'],
          [],
        ),
      read: () => undefined,
    });
    const { code, text } = await rotate([k2, k1]);
    expect(code).toBe(1);
    expect(text).toContain('k1 must stay in VAULT_KEYS: 1 record needs it.');
    expect(text).not.toContain('can be removed');
  });

  test('says which key is missing and how many records need it', async () => {
    await fill(k0, 'a', 'b');
    await fill(k1, 'c');
    const { code, text } = await rotate([k2, k1]);
    expect(code).toBe(1);
    expect(text).toContain(
      'k0 is not in VAULT_KEYS and 2 records need it. Put it back, after the key that seals.',
    );
    expect(text).toContain('k1 can be removed');
    expect((await rotate([k2, k1, k0])).code).toBe(0);
  });

  test('retires a key for good, never the one that seals or one it does not have, and reinstates', async () => {
    await fill(k1, 'a');
    expect(await rotate([k2, k1], '--retire', 'k2')).toMatchObject({ code: 1 });
    expect(await rotate([k2, k1], '--retire', 'k7')).toMatchObject({ code: 1 });
    const { code, text } = await rotate([k2, k1], '--retire', 'k1');
    expect(code).toBe(0);
    expect(text).toMatch(/k1 +0 +not needed, retired/);
    await expect(fill(k1, 'b')).rejects.toMatchObject({ code: 'deployment_outdated' });
    expect((await rotate([k1, k2])).code).toBe(1);
    expect((await rotate([k1, k2], '--dry-run')).code).toBe(1);
    expect((await rotate([k2, k1], '--reinstate', 'k1')).code).toBe(0);
    await fill(k1, 'b');
  });

  test('names what is missing in the settings, and takes them from .env.local', async () => {
    const bad = await rotate(['nonsense']);
    expect(bad).toMatchObject({ code: 1, text: expect.stringContaining('VAULT_KEYS: entry 1') });
    expect(bad.text).toContain('Looked in the environment, and for .env.local and .env in ');
    const directory = await temporaryDirectory();
    await writeFiles(directory, {
      '.env.local': `KV_REST_API_URL=${store.url}\nKV_REST_API_TOKEN=${store.token}\nVAULT_KEYS=${k2}\n`,
    });
    const code = await new Promise((done) => {
      const options = { cwd: directory, env: { PATH: process.env.PATH } };
      execFile(process.execPath, [resolve(OPERATOR, 'rotate.ts')], options, (error) =>
        done(error?.code ?? 0),
      );
    });
    expect(code).toBe(0);
  });

  test('says in sentences that the store is down, why, and no raw log line', async () => {
    await store.close();
    const { code, text } = await rotate([k2]);
    expect(code).toBe(1);
    expect(text).toContain('The key store is not responding.');
    expect(text).toContain('kv_failed reason=');
    expect(text).not.toContain('{');
    store = await startKv({ engine: 'embedded' });
  });

  test('gives its usage when asked, and leaves with 0', async () => {
    expect(await rotate([k2], '--help')).toMatchObject({
      code: 0,
      text: expect.stringContaining('--reinstate'),
    });
  });

  test('explains itself when it is not understood', async () => {
    for (const args of [['--wrong'], ['--dry-run', '--retire', 'k1'], ['k1']]) {
      expect(await rotate([k2], ...args)).toMatchObject({
        code: 2,
        text: expect.stringContaining('npm run rotate'),
      });
    }
  });
});

describe('npm run account', () => {
  const account = (...args: readonly string[]) => run(k1, 'account.ts', ...args);

  test('exports what is stored about a user as JSON, and erases it after --yes alone', async () => {
    await fill(k1, 'auth0|leaver', 'stayer');
    const exported = await account('export', '--user', 'auth0|leaver');
    expect(exported.code).toBe(0);
    expect(JSON.parse(exported.text)).toMatchObject({
      user: 'auth0|leaver',
      keys: [{ provider: 'openai', hint: providerKey.slice(-4) }],
    });
    expect((await account('erase', '--user', 'auth0|leaver')).code).toBe(1);
    expect((await dumpStore(store)).join()).toContain('leaver');
    const erased = await account('erase', '--user', 'auth0|leaver', '--yes');
    expect(erased).toMatchObject({ code: 0, text: expect.stringContaining('Every trace is erased') });
    const again = await account('erase', '--user', 'auth0|leaver', '--yes');
    expect(again).toMatchObject({ code: 0, text: expect.stringContaining('Nothing was stored for this id') });
    expect(again.text).not.toContain('✓');
    expect((await dumpStore(store)).join()).not.toContain('leaver');
    expect((await dumpStore(store)).join()).toContain('stayer');
  });

  test('says so when a trace is left that it does not know', async () => {
    await kv.ask({
      commands: 2,
      add: (batch) =>
        batch.set('userkeys:forgotten:2026-01-01:leaver', 'x').set('userkeys:keys:not:leaver', 'x'),
      read: () => undefined,
    });
    const { code, text } = await account('erase', '--user', 'leaver', '--yes');
    expect(code).toBe(1);
    expect(text).toContain('userkeys:forgotten:2026-01-01:leaver');
    expect(text).not.toContain('not:leaver');
  });

  test('explains itself when it is not understood', async () => {
    for (const args of [[], ['erase'], ['export', '--user', ''], ['burn', '--user', 'a']]) {
      expect(await account(...args)).toMatchObject({ code: 2, text: expect.stringContaining('npm run') });
    }
  });
});
