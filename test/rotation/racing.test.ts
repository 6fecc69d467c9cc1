import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { Kv } from '../../lib/kv/kv.ts';
import { HEALTH_LIFETIME_MS } from '../../lib/limits.ts';
import { countRecords, type Rotation, rotationStep } from '../../lib/rotation/rotation.ts';
import { kidOf, openKey } from '../../lib/vault/envelope.ts';
import { readRecords, replaceRecord } from '../../lib/vault/records.ts';
import { reinstateKid, retireKid } from '../../lib/vault/retired-kids.ts';
import { json } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newMasterKey, newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { userId } from '../support/user-ids.ts';
import { connect, fillStore, ringOf, sealedRecord } from './fill-store.ts';

const STEP = { maxMs: 10_000, maxUsers: 1_000_000 };
const [oldKey, newKey] = [newMasterKey('k1'), newMasterKey('k2')];

let world: World;
let kv: Kv;
let key: HandlerModule;
let keys: HandlerModule;
let health: HandlerModule;

beforeAll(async () => {
  world = await startWorld({ env: { VAULT_KEYS: `${newKey},${oldKey}` } });
  kv = connect(world.kv);
  key = await import('../../api/userkeys.ts');
  keys = await import('../../api/userkeys.ts');
  health = await import('../../api/userkeys.ts');
});
afterAll(() => world.close());

const rotation = async (...masterKeys: readonly string[]): Promise<Rotation> => ({
  kv,
  ring: await ringOf(...masterKeys),
  clock: () => new Date(),
});
const save = async (sub: string, value: string) =>
  call(key, '/api/keys/openai', {
    method: 'PUT',
    token: await world.tokenFor(sub),
    json: { key: value },
  });
const stored = async (sub: string) =>
  (await kv.run(readRecords(userId(sub), ['openai']))).get('openai')?.record;
async function opened(sub: string): Promise<string | undefined> {
  const [record, ring] = [await stored(sub), await ringOf(newKey, oldKey)];
  return record && (await openKey(ring, { user: userId(sub), provider: 'openai' }, record.jwe)).reveal();
}

test('continuous rotations back and forth lose no concurrent save of the same records: the newest save wins', async () => {
  const users = Array.from({ length: 6 }, (_, index) => `racer-${index}`);
  const SAVES = 20;
  const RESEALED = 5;
  let racing = true;
  let resealed = 0;
  const rotateOn = async (...masterKeys: readonly string[]) => {
    const way = await rotation(...masterKeys);
    while (racing) {
      const { state } = await rotationStep(way, STEP, { evenIfIdle: true });
      resealed += state.last?.tally.resealed ?? 0;
    }
  };
  const rotations = [rotateOn(newKey, oldKey), rotateOn(oldKey, newKey), rotateOn(newKey, oldKey)];
  const saved = await Promise.all(
    users.map(async (sub) => {
      let version = 0;
      // A save in every step of a rotation leaves nothing to reseal, so the saves go on, with pauses, until some were.
      while (version < SAVES || resealed <= RESEALED) {
        version += 1;
        await setTimeout(Math.random() * 50);
        const value = newProviderKey();
        const response = await save(sub, value);
        expect(response.status).toBe(version === 1 ? 201 : 200);
        expect(await response.json()).toMatchObject({ version });
        expect(await opened(sub)).toBe(value);
      }
      return [sub, version] as const;
    }),
  );
  racing = false;
  await Promise.all(rotations);
  for (const [sub, version] of saved) expect(await stored(sub)).toMatchObject({ version });
}, 120_000);

test('a key that is deleted while it is being rotated stays deleted', async () => {
  const sub = 'deleter';
  let racing = true;
  const rotateOn = async (...masterKeys: readonly string[]) => {
    const way = await rotation(...masterKeys);
    while (racing) await rotationStep(way, STEP, { evenIfIdle: true });
  };
  const rotations = [rotateOn(newKey, oldKey), rotateOn(oldKey, newKey)];
  for (let times = 0; times < 15; times += 1) {
    await save(sub, newProviderKey());
    const response = await call(key, '/api/keys/openai', {
      method: 'DELETE',
      token: await world.tokenFor(sub),
    });
    expect(response.status).toBe(204);
    expect(await stored(sub)).toBeUndefined();
  }
  racing = false;
  await Promise.all(rotations);
  expect(await stored(sub)).toBeUndefined();
});

test('a key’s status is recorded even if the key was rotated meanwhile', async () => {
  await fillStore(kv, await ringOf(oldKey), ['checked'], ['openai'], () => newProviderKey());
  world.providers.answerNextWith(async (recorded, response) => {
    await rotationStep(await rotation(newKey, oldKey), STEP, { evenIfIdle: true });
    await json({}, 401)(recorded, response);
  });
  const token = await world.tokenFor('checked');
  const response = await call(key, '/api/keys/openai', { method: 'POST', token });
  expect(await response.json()).toMatchObject({ status: 'invalid' });
  const record = await stored('checked');
  expect(record).toMatchObject({ status: 'invalid', version: 1 });
  expect(kidOf(record?.jwe ?? '')).toBe('k2');
});

test('after a rotation that is killed at any of its requests every key still opens, and the next rotation finishes', async () => {
  const users = Array.from({ length: 25 }, (_, index) => `mortal-${index}`);
  let outcome = 'killed';
  for (let deadly = 1; outcome === 'killed'; deadly += 1) {
    const from = deadly % 2 === 1 ? oldKey : newKey;
    const to = from === oldKey ? newKey : oldKey;
    await fillStore(kv, await ringOf(from), users, ['openai'], (user) => `key of ${user}`);
    let requests = 0;
    const dying: Kv = {
      run: async (query) => {
        requests += 1;
        // Every second time the request still arrives, and only its response is lost.
        if (requests === deadly && deadly % 2 === 0) await kv.run(query);
        if (requests >= deadly) throw new Error('killed');
        return kv.run(query);
      },
    };
    const whole = await rotation(to, from);
    outcome = await rotationStep({ ...whole, kv: dying }, STEP, { evenIfIdle: true }).then(
      () => 'finished',
      (error: unknown) => (error instanceof Error ? error.message : 'other'),
    );
    expect(outcome).toBe(deadly < 7 || requests >= deadly ? 'killed' : 'finished');
    for (const sub of users) expect(await opened(sub)).toBe(`key of ${sub}`);
    await rotationStep(whole, STEP, { evenIfIdle: true });
    await rotationStep(whole, STEP, { evenIfIdle: true });
    const { left } = await countRecords(await rotation(to));
    expect([...left.keys()]).toEqual([to === newKey ? 'k2' : 'k1']);
  }
});

test('a record that an older deployment saved under the old master key is found by the next pass', async () => {
  const both = await rotation(newKey, oldKey);
  await rotationStep(both, STEP, { evenIfIdle: true });
  await fillStore(kv, await ringOf(oldKey), ['latecomer'], ['openai'], () => 'late');
  expect((await countRecords(both)).left.get('k1')).toBe(1);
  expect((await rotationStep(both, STEP)).state.last?.tally.resealed).toBe(1);
  expect((await countRecords(both)).left.has('k1')).toBe(false);
});

test('no deployment can store a record under a retired master key, and existing records stay in use', async () => {
  await save('kept', 'first-key-of-theirs');
  const user = userId('kept');
  const text = (await kv.run(readRecords(user, ['openai']))).get('openai')?.text;
  await kv.run(retireKid('k1'));
  const record = await sealedRecord(await ringOf(oldKey), user, 'openai', newProviderKey());
  expect(await kv.run(replaceRecord(user, 'openai', text, record))).toBe('retired');
  expect(await opened('kept')).toBe('first-key-of-theirs');

  await kv.run(retireKid('k2'));
  const refused = await save('kept', newProviderKey());
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: 'deployment_outdated' });
  world.providers.answerNextWith(json({}, 401));
  const token = await world.tokenFor('kept');
  const checked = await call(key, '/api/keys/openai', { method: 'POST', token });
  expect(await checked.json()).toMatchObject({ status: 'invalid' });
  expect(await stored('kept')).toMatchObject({ status: 'invalid' });
  expect(await (await call(health, '/api/health')).json()).toMatchObject({
    status: 'degraded',
    masterKeys: 'retired',
  });
  for (const kid of ['k1', 'k2']) await kv.run(reinstateKid(kid));
  expect((await save('kept', newProviderKey())).status).toBe(200);
});

test('a record whose master key is missing is listed as unreadable, does not hide others, and is reported by health', async () => {
  await fillStore(kv, await ringOf(newMasterKey('k0')), ['orphan'], ['openai'], () => newProviderKey());
  await fillStore(kv, await ringOf(newKey), ['orphan'], ['exa'], () => newProviderKey());
  // An answer is kept for some seconds.
  const answer = async () => {
    vi.setSystemTime(Date.now() + HEALTH_LIFETIME_MS);
    return (await call(health, '/api/health')).json();
  };
  onTestFinished(() => void vi.useRealTimers());
  expect(await answer()).toMatchObject({ status: 'ok' });
  await rotationStep(await rotation(newKey, oldKey), STEP, { evenIfIdle: true });
  const reported = await answer();
  expect(reported).toEqual({ status: 'degraded', mode: 'production', kv: 'ok', masterKeys: 'missing' });
  const token = await world.tokenFor('orphan');
  const listed = (await (await call(keys, '/api/keys', { token })).json()).keys;
  expect(listed).toMatchObject([
    { provider: 'exa', status: 'valid' },
    { provider: 'openai', status: 'unreadable' },
  ]);
  await call(key, '/api/keys/openai', { method: 'DELETE', token });
  await rotationStep(await rotation(newKey, oldKey), STEP, { evenIfIdle: true });
  expect(await answer()).toMatchObject({ status: 'ok' });
});
