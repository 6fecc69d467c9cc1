/** `npm run rotate` as an operator runs it. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { rotate as rotateCommand } from '../../cli/commands/rotate.ts';
import { type RunningKv, startKv } from '../../dev/kv/start-kv.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { query, scriptQuery } from '../../lib/kv/query.ts';
import { dumpStore } from '../account/store-dump.ts';
import { connect, fillStore, ringOf } from '../rotation/fill-store.ts';
import { newMasterKey, newProviderKey, TEST_TENANT } from '../support/start-world.ts';
import { temporaryDirectory, writeFiles } from '../support/temporary-directory.ts';
import { kvKey } from '../support/user-ids.ts';
import { type Ran, runUserkeys } from './run-userkeys.ts';

/** Each test starts several processes, which are slow to start on a busy machine. */
vi.setConfig({ testTimeout: 90_000 });

const [k0, k1, k2] = [newMasterKey('k0'), newMasterKey('k1'), newMasterKey('k2')];

let store: RunningKv;
let kv: Kv;
let providerKey: string;

beforeEach(async () => {
  store = await startKv();
  kv = connect(store);
  providerKey = newProviderKey();
});
afterEach(() => store.close());

/** Runs `userkeys rotate` with these master keys. Nothing that it prints contains a key of any kind. */
async function rotate(vaultKeys: readonly string[], ...args: readonly string[]): Promise<Ran> {
  const env = {
    KV_REST_API_URL: store.url,
    KV_REST_API_TOKEN: store.token,
    VAULT_KEYS: vaultKeys.join(','),
    AUTH_TENANT: TEST_TENANT,
  };
  const ran = await runUserkeys(['rotate', ...args], env);
  for (const secret of [store.token, providerKey, ...vaultKeys.map((key) => key.split(':')[1])]) {
    if (secret) expect(ran.text).not.toContain(secret);
  }
  return ran;
}
/** Runs the command in this process, which is faster, on the store at that address. */
async function rotateHere(url: string, vaultKeys: readonly string[]): Promise<Pick<Ran, 'code' | 'text'>> {
  vi.stubEnv('KV_REST_API_URL', url);
  vi.stubEnv('KV_REST_API_TOKEN', store.token);
  vi.stubEnv('VAULT_KEYS', vaultKeys.join(','));
  vi.stubEnv('AUTH_TENANT', TEST_TENANT);
  let text = '';
  const keep = (chunk: string | Uint8Array) => {
    text += String(chunk);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(keep),
    vi.spyOn(process.stderr, 'write').mockImplementation(keep),
    // The command replaces it.
    vi.spyOn(console, 'error'),
  ];
  try {
    const code = await rotateCommand({});
    return { code, text };
  } finally {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
  }
}

/** A front end of the store at which one request, counted from 1, fails. */
async function startFront() {
  let requests = 0;
  let failing = 0;
  const server = createServer(async (request, response) => {
    requests += 1;
    const body = await buffer(request);
    if (requests === failing) return void response.writeHead(500).end();
    const { authorization = '' } = request.headers;
    const headers = { authorization, 'content-type': 'application/json' };
    const answer = await fetch(store.url + (request.url ?? ''), { method: 'POST', headers, body });
    response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    failAt(request: number) {
      requests = 0;
      failing = request;
    },
  };
}

const fill = async (masterKey: string, ...users: readonly string[]) =>
  fillStore(kv, await ringOf(masterKey), users, ['openai'], () => providerKey);
const records = async () => (await dumpStore(store)).filter((line) => /^uk:\{.*\}:keys /.test(line)).sort();

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

  test('re-seals, says that the old key can be removed, and the keys open without it', async () => {
    await fill(k1, 'a', 'b', 'c');
    const { code, text } = await rotate([k2, k1]);
    expect(code).toBe(0);
    expect(text).toContain('100 %');
    expect(text.match(/3 records of 3 users, 3 re-sealed/g)).toHaveLength(1);
    expect(text).toContain('k1 can be removed from VAULT_KEYS: no record needs it.');
    const after = await rotate([k2]);
    expect(after.code).toBe(0);
    expect(after.text).toMatch(/k2 +3 +current/);
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

  test('says nothing about master keys while records have names of an earlier version', async () => {
    await fill(k2, 'a');
    await kv.run(query((pipeline) => pipeline.hset('userkeys:keys:b', { openai: '{"v":1}' }), z.unknown()));
    for (const args of [['--dry-run'], []]) {
      const { code, text } = await rotate([k2, k1], ...args);
      expect(code).toBe(1);
      expect(text).toContain('userkeys migrate tenant --apply');
      expect(text).not.toMatch(/can be removed|not needed|No record needs/);
    }
  });

  test('refuses to call a key removable that a record of an unknown provider needs', async () => {
    await fill(k1, 'a');
    const source = `redis.call('HSET', KEYS[1], 'later', redis.call('HGET', KEYS[1], 'openai')) return 1`;
    await kv.run(scriptQuery({ source, keys: [kvKey('keys', 'a')], args: [] }, z.unknown()));
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
      'k0 is not in VAULT_KEYS and 2 records need it. Add it again, after the first key.',
    );
    expect(text).toContain('k1 can be removed');
    expect((await rotate([k2, k1, k0])).code).toBe(0);
  });

  test('retires a key for good, never the current one or one it does not have, and reinstates', async () => {
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
      '.env.local': `KV_REST_API_URL=${store.url}\nKV_REST_API_TOKEN=${store.token}\nVAULT_KEYS=${k2}\nAUTH_TENANT=${TEST_TENANT}\n`,
    });
    expect(await runUserkeys(['rotate'], {}, directory)).toMatchObject({ code: 0 });
  });

  test('says in sentences that the store is down, why, and no raw log line', async () => {
    await store.close();
    const { code, text } = await rotate([k2]);
    expect(code).toBe(1);
    expect(text).toContain('The key store is not responding.');
    expect(text).toContain('kv_failed reason=');
    expect(text).not.toContain('{');
    store = await startKv();
  });

  test('whichever KV request fails, it exits with 1 and says nothing about removable keys', async () => {
    const front = await startFront();
    const lost: number[] = [];
    for (let failing = 1; ; failing += 1) {
      await fill(k1, `user-${failing}`);
      front.failAt(failing);
      const { code, text } = await rotateHere(front.url, [k2, k1]);
      if (front.requests() < failing) {
        expect(text).toContain('k1 can be removed from VAULT_KEYS');
        break;
      }
      if (code === 0) lost.push(failing);
      else {
        expect(code).toBe(1);
        expect(text.match(/✗/g)).toHaveLength(1);
        expect(text).toContain('✗ The key store is not responding.');
        expect(text).toContain('kv_failed reason=');
        expect(text).not.toMatch(/can be removed|not needed|No record needs|\d records? of/);
      }
    }
    expect(front.requests()).toBeGreaterThan(8);
    // Entries in the users' audit logs may be lost; nothing else may.
    expect(lost).toHaveLength(1);
  });

  test('exits with 2 and says why for a wrong command line', async () => {
    for (const [args, reason] of [
      [['--wrong'], "Unknown option '--wrong'"],
      [['--dry-run', '--retire', 'k1'], "'--retire <kid>' cannot be used with option '--dry-run'"],
      [['--reinstate', 'k1', '--retire', 'k1'], 'cannot be used with option'],
      [['k1'], "Too many arguments for 'rotate'"],
    ] as const) {
      const { code, text } = await rotate([k2], ...args);
      expect(code).toBe(2);
      expect(text).toContain(reason);
      expect(text).toContain('npm run rotate -- --help');
    }
  });
});
