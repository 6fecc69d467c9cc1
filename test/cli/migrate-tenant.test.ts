/** `npm run migrate -- tenant` as an operator runs it, on data that an earlier version has stored. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@vercel/kv';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { toUserId } from '../../lib/identity/user-id.ts';
import { ownerKey } from '../../lib/kv/key-names.ts';
import { dumpStore } from '../account/store-dump.ts';
import { connect, ringOf } from '../rotation/fill-store.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { redisServerInstalled } from '../support/redis-server.ts';
import {
  compileCache,
  newMasterKey,
  newProviderKey,
  startWorld,
  TEST_TENANT,
  type World,
} from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';
import { type Ran, runUserkeys } from './run-userkeys.ts';

vi.setConfig({ testTimeout: 120_000 });

const CLI = resolve(import.meta.dirname, '../../cli/userkeys.ts');
const [oldMaster, newMaster] = [newMasterKey('old'), newMasterKey('new')];
const VAULT_KEYS = `${newMaster},${oldMaster}`;
const SAVED_AT = '2026-01-02T03:04:05.678Z';

let world: World;
let functions: HandlerModule;
let proxy: HandlerModule;
let store: ReturnType<typeof createClient>;

beforeAll(async () => {
  world = await startWorld({
    env: { VAULT_KEYS },
    kvEngine: redisServerInstalled() ? 'redis-server' : 'embedded',
  });
  functions = await import('../../api/userkeys.ts');
  proxy = await import('../../api/proxy.ts');
  store = createClient({ url: world.kv.url, token: world.kv.token, automaticDeserialization: false });
});
afterAll(() => world.close());
beforeEach(() => store.flushall());

const settings = (env: Readonly<Record<string, string>> = {}) => ({
  KV_REST_API_URL: world.kv.url,
  KV_REST_API_TOKEN: world.kv.token,
  VAULT_KEYS,
  AUTH_TENANT: TEST_TENANT,
  ...env,
});

/** Runs the command. Nothing that it prints contains a secret. */
async function migrate(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const ran = await runUserkeys(['migrate', 'tenant', ...args], settings(env));
  for (const secret of [world.kv.token, ...VAULT_KEYS.split(',').map((key) => key.split(':')[1] ?? '')]) {
    expect(ran.text).not.toContain(secret);
  }
  return ran;
}

/** A record as the earlier version wrote it: bound to the sub and the provider. */
async function oldRecord(
  sub: string,
  provider: string,
  key: string,
  { master = oldMaster, at = SAVED_AT } = {},
) {
  const kid = master.split(':')[0] ?? '';
  const cipher = await (await ringOf(master)).cipherFor(kid, { sub, provider });
  if (cipher === undefined) throw new Error('no cipher');
  const jwe = await cipher.seal({ alg: 'dir', enc: 'A256GCM', kid }, new TextEncoder().encode(key));
  const times = { createdAt: at, updatedAt: at };
  return JSON.stringify({ v: 1, jwe, hint: key.slice(-4), status: 'valid', version: 3, ...times });
}

async function storeOld(sub: string, keys: Readonly<Record<string, string>>): Promise<void> {
  const records = Object.entries(keys).map(async ([provider, key]) => [
    provider,
    await oldRecord(sub, provider, key),
  ]);
  await store.hset(`userkeys:keys:${sub}`, Object.fromEntries(await Promise.all(records)));
}

/** Everything an earlier version stores about a user besides the records. */
async function storeRest(sub: string): Promise<void> {
  await store.hset(`userkeys:used:${sub}`, { openai: '2026-02-01T00:00:00.000Z' });
  await store.hset(`userkeys:guards:${sub}`, { 'openai:callsPerDay': '5' });
  await store.hset(`userkeys:spent:${sub}`, { day: new Date().toISOString().slice(0, 10), openai: '2' });
  await store.hset(`userkeys:onboarding:${sub}`, {
    startedAt: SAVED_AT,
    revision: 'r1',
    'step:api-keys': JSON.stringify({ v: 1, status: 'completed', doneAt: SAVED_AT }),
  });
  const month = new Date().toISOString().slice(0, 7);
  await store.hset(`userkeys:usage:${month}:${sub}`, { '01 openai gpt-a calls': '7' });
  await store.expire(`userkeys:usage:${month}:${sub}`, 5_000_000);
  await store.xadd(`userkeys:audit:${sub}`, '*', entryOf('save'));
  await store.expire(`userkeys:audit:${sub}`, 5_000_000);
}

const entryOf = (action: string) => ({
  time: new Date().toISOString(),
  action,
  ...{ route: '', provider: 'openai', outcome: 'ok', status: '201', durationMs: '5', requestId: '' },
  ...{ model: '', inputTokens: '', outputTokens: '' },
});

const get = async (sub: string, path: string) => {
  const module = path.startsWith('/api/proxy') ? proxy : functions;
  return call(module, path, { token: await world.tokenFor(sub) });
};
const paidWith = async (sub: string) => {
  expect((await get(sub, '/api/proxy/openai/v1/models')).status).toBe(200);
  return world.calls.at(-1)?.credential;
};
const dump = async () => (await dumpStore(world.kv)).sort();
const oldNames = async () => (await dump()).filter((line) => /^userkeys:(?!retired|erased)/.test(line));

describe('npm run migrate -- tenant', () => {
  test('counts in a dry run and changes nothing', async () => {
    await storeOld('alice', { openai: newProviderKey(), exa: newProviderKey() });
    await storeOld('auth0|b:{c}*', { openai: newProviderKey() });
    await storeRest('alice');
    const before = await dump();
    const { code, text } = await migrate();
    expect(code).toBe(0);
    expect(text).toMatch(/users +2 +0/);
    expect(text).toMatch(/records sealed for the tenant +3/);
    expect(text).toContain('This was a dry run: nothing was written. Add --apply to move.');
    expect(await dump()).toEqual(before);
  });

  test('moves everything, and the user is refused before and served after', async () => {
    const [key, sub] = [newProviderKey(), 'auth0|b:{c}*'];
    await storeOld(sub, { openai: key, exa: newProviderKey() });
    await storeRest(sub);
    await store.set('userkeys:rotation', '{}');
    await store.sadd('userkeys:retired', 'ancient');
    expect((await get(sub, '/api/keys')).status).toBe(503);

    const { code, text } = await migrate(['--apply']);
    expect(code).toBe(0);
    expect(text).toContain('100 %');
    expect(text).toContain('No data has an old name any more.');
    expect(await oldNames()).toEqual([]);
    expect(await store.smembers('uk:retired')).toEqual(['ancient']);

    expect(await paidWith(sub)).toBe(key);
    const exported = await (await get(sub, '/api/account')).json();
    expect(exported).toMatchObject({
      user: sub,
      guards: [{ provider: 'openai', callsPerDay: 5, callsToday: 3 }],
      onboarding: { startedAt: SAVED_AT, steps: [{ id: 'api-keys', status: 'completed' }] },
    });
    expect(exported.keys).toContainEqual(
      expect.objectContaining({ provider: 'openai', version: 3, createdAt: SAVED_AT, status: 'valid' }),
    );
    expect(exported.audit.map(({ action }: { action: string }) => action)).toContain('save');
    expect(JSON.stringify(exported.usage)).toContain('"calls":7');
    const month = new Date().toISOString().slice(0, 7);
    for (const kind of ['audit', `usage:${month}`]) {
      expect(await store.ttl(kvKey(kind, sub))).toBeGreaterThan(4_000_000);
    }
    const again = await migrate();
    expect(again).toMatchObject({ code: 0, text: expect.stringContaining('There is nothing to move.') });
  });

  test('keeps a key that is newer under the new name, replaces an older one, and reports it', async () => {
    const [old, newer] = [newProviderKey(), newProviderKey()];
    for (const sub of ['a', 'b']) {
      await call(functions, '/api/keys/openai', {
        method: 'PUT',
        token: await world.tokenFor(sub),
        json: { key: newer },
      });
    }
    await store.hset('userkeys:keys:a', { openai: await oldRecord('a', 'openai', old) });
    const later = new Date(Date.now() + 60_000).toISOString();
    await store.hset('userkeys:keys:b', { openai: await oldRecord('b', 'openai', old, { at: later }) });
    const { code, text } = await migrate(['--apply']);
    expect(code).toBe(0);
    expect(text).toContain('1 old record not moved: the user has stored a newer key under the new name.');
    expect(await paidWith('a')).toBe(newer);
    expect(await paidWith('b')).toBe(old);
  });

  test('merges what refused calls have left under the new name', async () => {
    const sub = 'merged';
    await storeOld(sub, { openai: newProviderKey() });
    await storeRest(sub);
    expect((await get(sub, '/api/onboarding')).status).toBe(503);
    await store.xadd(kvKey('audit', sub), '*', entryOf('delete'));
    const month = new Date().toISOString().slice(0, 7);
    await store.hset(kvKey(`usage:${month}`, sub), { '01 openai gpt-a calls': '3' });
    await store.hset(kvKey('used', sub), { openai: '2026-03-01T00:00:00.000Z' });
    await store.hset(kvKey('guards', sub), { 'openai:callsPerDay': '9' });
    expect((await migrate(['--apply'])).code).toBe(0);
    const exported = await (await get(sub, '/api/account')).json();
    expect(exported.onboarding).toMatchObject({ startedAt: SAVED_AT, steps: [{ id: 'api-keys' }] });
    const actions = exported.audit.map(({ action }: { action: string }) => action);
    expect(actions.indexOf('delete')).toBeLessThan(actions.indexOf('save'));
    expect(actions).toContain('save');
    expect(JSON.stringify(exported.usage)).toContain('"calls":10');
    expect(exported.keys[0].lastUsedAt).toBe('2026-03-01T00:00:00.000Z');
    expect(exported.guards[0]).toMatchObject({ callsPerDay: 9, callsToday: 2 });
  });

  test('leaves users alone of whom a record does not open, and moves such records only when it is told to', async () => {
    await storeOld('good', { openai: newProviderKey() });
    await storeOld('gone', { openai: newProviderKey() });
    await store.hset('userkeys:keys:gone', {
      exa: await oldRecord('gone', 'exa', newProviderKey(), { master: newMasterKey('lost') }),
    });
    await storeOld('wrong', { openai: newProviderKey() });
    const foreign = await oldRecord('good', 'openai', newProviderKey());
    await store.hset('userkeys:keys:wrong', { exa: foreign, groq: '{"v":1' });
    const before = await store.hgetall('userkeys:keys:gone');

    const first = await migrate(['--apply']);
    expect(first.code).toBe(1);
    expect(first.text).toMatch(/users +1 +2/);
    expect(first.text).toContain('1 record under lost, which is not in VAULT_KEYS.');
    expect(first.text).toContain('2 records not opened');
    expect((await get('good', '/api/keys')).status).toBe(200);
    for (const sub of ['gone', 'wrong']) {
      expect((await get(sub, '/api/keys')).status).toBe(503);
      expect(await store.exists(kvKey('keys', sub))).toBe(0);
    }

    const second = await migrate(['--apply', '--move-unreadable']);
    expect(second.code).toBe(1);
    expect(await store.hgetall('userkeys:keys:gone')).toEqual(before);
    const { keys } = await (await get('wrong', '/api/keys')).json();
    const shown = keys.map(({ provider, status }: { provider: string; status: string }) => [
      provider,
      status,
    ]);
    expect(Object.fromEntries(shown)).toEqual({ openai: 'valid', exa: 'unreadable', groq: 'unreadable' });
    expect(await store.hget(kvKey('keys', 'wrong'), 'exa')).toBe(foreign);
  });

  test('seals a record of a provider that is not in the catalogue for the tenant too', async () => {
    await storeOld('later', { openai: newProviderKey(), somebody_else: newProviderKey() });
    expect((await migrate(['--apply'])).code).toBe(0);
    const text = String(await store.hget(kvKey('keys', 'later'), 'somebody_else'));
    const { openKey } = await import('../../lib/vault/envelope.ts');
    const binding = { user: toUserId(TEST_TENANT, 'later'), provider: 'somebody_else' };
    await expect(openKey(await ringOf(newMaster), binding, JSON.parse(text).jwe)).resolves.toBeDefined();
  });

  test('two tenants with the same sub do not read each other’s keys', async () => {
    const key = newProviderKey();
    await storeOld('same', { openai: key });
    expect((await migrate(['--apply'], { AUTH_TENANT: 'other' })).code).toBe(0);
    // This deployment has another issuer and the same store.
    expect((await (await get('same', '/api/keys')).json()).keys).toEqual([]);
    const moved = await store.hget(ownerKey(toUserId('other', 'same'), 'keys'), 'openai');
    await store.hset(kvKey('keys', 'same'), { openai: moved });
    const refused = await get('same', '/api/proxy/openai/v1/models');
    expect(refused.headers.get('x-userkeys-error')).toBe('key_unreadable');
  });

  test('stops when the current master key is retired, and moves nothing', async () => {
    await storeOld('alice', { openai: newProviderKey() });
    await store.sadd('userkeys:retired', 'new');
    const { code } = await migrate(['--apply']);
    expect(code).toBe(1);
    expect(await store.exists('userkeys:keys:alice')).toBe(1);
    expect(await store.exists(kvKey('keys', 'alice'))).toBe(0);
  });

  test('is killed at any point and run again: every user is moved, whole, and nothing is lost', async () => {
    const users = 400;
    const keys = new Map(Array.from({ length: users }, (_, index) => [`user-${index}`, newProviderKey()]));
    for (const [sub, key] of keys) {
      await storeOld(sub, { openai: key });
      await store.hset(`userkeys:guards:${sub}`, { 'openai:callsPerDay': '5' });
      await store.xadd(`userkeys:audit:${sub}`, '*', entryOf('save'));
    }
    const left = async () => (await store.keys('userkeys:keys:*')).length;
    for (const share of [0.8, 0.5, 0.2]) {
      const running = start();
      const exited = once(running, 'exit');
      while ((await left()) > users * share && running.exitCode === null) await delay(2);
      running.kill('SIGKILL');
      await exited;
      for (const key of await store.keys('userkeys:keys:*')) {
        const sub = key.slice('userkeys:keys:'.length);
        expect(await store.exists(`userkeys:guards:${sub}`)).toBe(1);
      }
    }
    expect((await migrate(['--apply'])).code).toBe(0);
    expect(await oldNames()).toEqual([]);
    for (const [sub, key] of keys) {
      expect(await store.xlen(kvKey('audit', sub))).toBe(1);
      expect(await store.hget(kvKey('guards', sub), 'openai:callsPerDay')).toBe('5');
      expect(await openedKey(sub)).toBe(key);
    }
  });

  test('names what is missing without a tenant, and exits with 2 for a wrong command line', async () => {
    const { code, text } = await migrate([], { AUTH_TENANT: '' });
    expect(code).toBe(1);
    expect(text).toContain('AUTH_ISSUER: is missing; set it, or AUTH_TENANT');
    expect((await migrate(['--wrong'])).code).toBe(2);
  });
});

function start(): ChildProcess {
  return spawn(process.execPath, [CLI, 'migrate', 'tenant', '--apply'], {
    env: { PATH: process.env.PATH, ...compileCache(), ...settings() },
    stdio: 'ignore',
  });
}

async function openedKey(sub: string): Promise<string | undefined> {
  const { readRecords } = await import('../../lib/vault/records.ts');
  const { openKey } = await import('../../lib/vault/envelope.ts');
  const user = toUserId(TEST_TENANT, sub);
  const record = (await connect(world.kv).run(readRecords(user, ['openai']))).get('openai')?.record;
  return (
    record && (await openKey(await ringOf(newMaster), { user, provider: 'openai' }, record.jwe)).reveal()
  );
}
