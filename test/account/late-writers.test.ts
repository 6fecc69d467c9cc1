/** Calls that were in progress when the user was erased. */
import { createClient } from '@vercel/kv';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { deferredWrites } from '../../lib/kv/deferred-writes.ts';
import { callStart } from '../../lib/kv/erasure.ts';
import { connect } from '../rotation/fill-store.ts';
import { json, usual } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { holdAnswer } from '../support/hold-answer.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey, userId } from '../support/user-ids.ts';
import { dumpStore, findTraces } from './store-dump.ts';

let world: World;
let account: HandlerModule;
let key: HandlerModule;
let proxy: HandlerModule;
let count = 0;
let sub: string;
let token: string;

beforeAll(async () => {
  world = await startWorld();
  account = await import('../../api/userkeys.ts');
  key = await import('../../api/userkeys.ts');
  proxy = await import('../../api/proxy.ts');
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

async function newUser(): Promise<void> {
  count += 1;
  sub = `late-${count}`;
  token = await world.tokenFor(sub);
}
const save = () => call(key, '/api/keys/openai', { method: 'PUT', token, json: { key: newProviderKey() } });
const erase = async () =>
  expect((await call(account, '/api/account', { method: 'DELETE', token })).status).toBe(204);
const traces = () => findTraces(world.kv, sub);

test.each([
  ['a first key', false],
  ['a replacement key', true],
])(
  'a save of %s that was waiting for its provider is refused and stores nothing',
  async (_what, replaces) => {
    await newUser();
    if (replaces) await save();
    const provider = holdAnswer(world.providers, usual);
    const saving = save();
    await provider.asked;
    await erase();
    provider.release();
    const response = await saving;
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: 'account_erased' });
    expect(await traces()).toEqual([]);
  },
);

test('a key check that was waiting for its provider stores nothing', async () => {
  await newUser();
  await save();
  const provider = holdAnswer(world.providers, json({}, 401));
  const checking = call(key, '/api/keys/openai', { method: 'POST', token });
  await provider.asked;
  await erase();
  provider.release();
  expect((await checking).status).toBe(200);
  expect(await traces()).toEqual([]);
});

test('a call that is answered after the erasure records nothing', async () => {
  await newUser();
  await save();
  const provider = holdAnswer(world.providers, usual);
  const calling = call(proxy, '/api/proxy/openai/v1/models', { token });
  await provider.asked;
  await erase();
  provider.release();
  expect((await calling).status).toBe(200);
  // A later call of another user has been recorded by then, so this call would have been too.
  const other = `other-${count}`;
  await call(proxy, '/api/proxy/openai/v1/models', { token: await world.tokenFor(other) });
  await expect.poll(async () => (await dumpStore(world.kv)).join()).toContain(kvKey('refusals', other));
  expect(await traces()).toEqual([]);
});

test('a deferred write succeeds for a call that began after the erasure, but not for an earlier one', async () => {
  await newUser();
  const kv = connect(world.kv);
  const store = createClient({ url: world.kv.url, token: world.kv.token });
  const user = userId(sub);
  const write = (beganAt: Date) =>
    kv.run(
      deferredWrites(callStart(user, beganAt), [
        {
          source: `redis.call('RPUSH', KEYS[1], ARGV[1]) return 1`,
          keys: [kvKey('notes', sub)],
          args: ['note'],
        },
      ]),
    );
  const before = new Date();
  await write(before);
  expect(await store.llen(kvKey('notes', sub))).toBe(1);
  await erase();
  await write(before);
  await write(new Date(Date.now() + 60_000));
  expect(await store.llen(kvKey('notes', sub))).toBe(2);
});
