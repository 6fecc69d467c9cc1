/** A full rotation: many users' records move to a new master key while saves, deletes and calls continue. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { combineQueries } from '../../lib/kv/query.ts';
import { countRecords } from '../../lib/rotation/rotation.ts';
import { readRotationState } from '../../lib/rotation/rotation-state.ts';
import { openKey } from '../../lib/vault/envelope.ts';
import { readRecords } from '../../lib/vault/records.ts';
import { call } from '../support/call.ts';
import { redisServerInstalled } from '../support/redis-server.ts';
import { newMasterKey, newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { userId } from '../support/user-ids.ts';
import { connect, fillStore, ringOf } from './fill-store.ts';

const REDIS = redisServerInstalled();
const USERS = Number(process.env.ROTATION_USERS ?? (REDIS ? 10_000 : 2_000));
const KILLS = 5;
const CLI = resolve(import.meta.dirname, '../../cli/userkeys.ts');
const POLL_MS = 20;
/** Users that are saved, deleted and called during the rotation. Each group has its own users, so the expected result is known. */
const BUSY = 200;

let world: World | undefined;
afterAll(() => world?.close());

test(`${USERS} users’ records are rotated on ${REDIS ? 'redis-server' : 'the embedded store'} while saves, deletes and calls continue, killed with SIGKILL ${KILLS} times: no call fails, no save is lost, all open without the old key`, {
  timeout: 600_000,
}, async () => {
  const [oldKey, newKey] = [newMasterKey('k1'), newMasterKey('k2')];
  world = await startWorld({
    kvEngine: REDIS ? 'redis-server' : 'embedded',
    env: { VAULT_KEYS: `${newKey},${oldKey}` },
  });
  const { kv: store, env, tokenFor, providers } = world;
  const key = await import('../../api/userkeys.ts');
  const proxy = await import('../../api/proxy.ts');
  const health = await import('../../api/userkeys.ts');
  const kv = connect(store);

  /** The expected key of each user at the end; undefined: deleted. */
  const expected = new Map<string, string | undefined>(
    Array.from({ length: USERS }, (_, index) => [`user-${index}`, `key-${index}-${newProviderKey()}`]),
  );
  await fillStore(
    kv,
    await ringOf(oldKey),
    [...expected.keys()],
    ['openai'],
    (user) => expected.get(user) ?? '',
  );

  const traffic = { on: true, saves: 0, deletes: 0, calls: 0 };
  const userOf = (kind: number, turn: number) => `user-${(3 * turn + kind) % Math.min(3 * BUSY, USERS)}`;

  async function save(turn: number): Promise<void> {
    const user = userOf(0, turn);
    const value = newProviderKey();
    const response = await call(key, '/api/keys/openai', {
      method: 'PUT',
      token: await tokenFor(user),
      json: { key: value },
    });
    expect([200, 201]).toContain(response.status);
    expected.set(user, value);
    traffic.saves += 1;
  }
  async function remove(turn: number): Promise<void> {
    const user = userOf(1, turn);
    const response = await call(key, '/api/keys/openai', { method: 'DELETE', token: await tokenFor(user) });
    expect(response.status).toBe(204);
    expected.set(user, undefined);
    traffic.deletes += 1;
  }
  async function use(turn: number): Promise<void> {
    const user = userOf(2, turn);
    const response = await call(proxy, '/api/proxy/openai/v1/models', { token: await tokenFor(user) });
    expect(response.status).toBe(200);
    expect(providers.calls.at(-1)?.credential).toBe(expected.get(user));
    traffic.calls += 1;
  }
  async function runTraffic(): Promise<void> {
    for (let turn = 0; traffic.on; turn += 1) {
      await save(turn);
      await remove(turn);
      await use(turn);
      // The recorded calls are not needed and would fill the memory.
      store.requests.length = 0;
      providers.reset();
      await delay(POLL_MS);
    }
  }

  const printed: string[] = [];
  function rotate(): ChildProcess {
    const child = spawn(process.execPath, [CLI, 'rotate'], {
      env: { ...env, PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => printed.push(text));
    return child;
  }
  const progress = async () => (await kv.run(readRotationState())).running?.tally.users ?? 0;

  const going = runTraffic();
  const stopped = going.catch((error: unknown) => error);
  let rotation = rotate();
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const enough = (kill * USERS) / (KILLS + 2);
    while ((await progress()) < enough) await delay(POLL_MS);
    const exited = once(rotation, 'exit');
    rotation.kill('SIGKILL');
    expect(await exited).toEqual([null, 'SIGKILL']);
    expect((await kv.run(readRotationState())).running).not.toBeNull();
    rotation = rotate();
  }
  const [code] = await once(rotation, 'exit');
  traffic.on = false;
  expect(await stopped).toBeUndefined();
  expect(code).toBe(0);
  expect(printed.join('')).toContain('k1 can be removed from VAULT_KEYS: no record needs it.');
  expect(traffic.saves).toBeGreaterThan(10);

  const newRing = await ringOf(newKey);
  const stored = [...expected].filter(([, value]) => value !== undefined).length;
  const { left, unreadable } = await countRecords({ kv, ring: newRing, clock: () => new Date() });
  expect(left).toEqual(new Map([['k2', stored]]));
  expect(unreadable).toBe(0);
  const wrong: string[] = [];
  const users = [...expected.keys()];
  for (let from = 0; from < users.length; from += 500) {
    const some = users.slice(from, from + 500);
    const records = await kv.run(combineQueries(...some.map((sub) => readRecords(userId(sub), ['openai']))));
    for (const [index, sub] of some.entries()) {
      const user = userId(sub);
      const record = records[index]?.get('openai')?.record;
      const opened = record && (await openKey(newRing, { user, provider: 'openai' }, record.jwe));
      if (opened?.reveal() !== expected.get(sub)) wrong.push(sub);
    }
  }
  expect(wrong).toEqual([]);
  expect(await (await call(health, '/api/health')).json()).toMatchObject({ status: 'ok' });
});
