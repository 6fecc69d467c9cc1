import { createClient } from '@vercel/kv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';
import { findTraces } from './store-dump.ts';

let world: World;
let account: HandlerModule;
let key: HandlerModule;
let onboarding: HandlerModule;
let proxy: HandlerModule;
let store: ReturnType<typeof createClient>;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
  account = await import('../../api/userkeys.ts');
  key = await import('../../api/userkeys.ts');
  onboarding = await import('../../api/userkeys.ts');
  proxy = await import('../../api/proxy.ts');
  store = createClient({ url: world.kv.url, token: world.kv.token, automaticDeserialization: false });
});
afterAll(() => world.close());

async function newUser(): Promise<{ sub: string; token: string }> {
  count += 1;
  const sub = `leaver ${count}:[x]*`;
  return { sub, token: await world.tokenFor(sub) };
}
const save = (token: string, provider: string, value = newProviderKey()) =>
  call(key, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: value } });
const read = async (token: string) => (await call(account, '/api/account', { token })).json();
const erase = (token: string) => call(account, '/api/account', { method: 'DELETE', token });
const traces = (sub: string) => findTraces(world.kv, sub);

describe('GET /api/account', () => {
  test('returns everything stored about the caller, and no key, sealed or open', async () => {
    const { sub, token } = await newUser();
    const [first, second] = [newProviderKey(), newProviderKey()];
    await save(token, 'openai', first);
    await save(token, 'exa', second);
    await call(proxy, '/api/proxy/openai/v1/models', { token });
    await call(onboarding, '/api/onboarding', {
      method: 'PATCH',
      token,
      json: { step: 'api-keys', status: 'completed', data: { site: 'https://site.example' } },
    });
    await expect.poll(() => store.hget(kvKey('used', sub), 'openai')).toMatch(/^\d{4}-/);
    const response = await call(account, '/api/account', { token });
    expect(response.status).toBe(200);
    const text = await response.text();
    for (const secret of [first, second, 'eyJ', '"jwe"']) expect(text).not.toContain(secret);
    const shown = JSON.parse(text);
    expect(shown).toMatchObject({ user: sub, exportedAt: expect.any(String), callsInTheLastMinutes: 5 });
    expect(shown.keys).toHaveLength(2);
    expect(shown.keys).toContainEqual({
      provider: 'openai',
      hint: first.slice(-4),
      status: 'valid',
      version: 1,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
      lastUsedAt: expect.any(String),
    });
    expect(shown.onboarding).toMatchObject({
      startedAt: expect.any(String),
      steps: [{ id: 'api-keys', status: 'completed', data: { site: 'https://site.example' } }],
    });
  });

  test('stores nothing for a user without data, except the counter of this call', async () => {
    const { sub, token } = await newUser();
    expect(await read(token)).toMatchObject({ keys: [], onboarding: null });
    const left = await traces(sub);
    expect(left).toHaveLength(1);
    expect(left[0]).toContain(kvKey('calls', sub));
  });

  test('includes damaged records and those of unknown providers', async () => {
    const { sub, token } = await newUser();
    await save(token, 'exa');
    await store.hset(kvKey('keys', sub), { openai: '{', later: '{"v":7}' });
    await store.hset(kvKey('onboarding', sub), { 'step:gone': 'not json' });
    const shown = await read(token);
    expect(shown.keys).toHaveLength(3);
    expect(shown.keys).toContainEqual({ provider: 'later', status: 'unreadable', lastUsedAt: null });
    expect(shown.onboarding.steps).toEqual([{ id: 'gone', text: 'not json' }]);
  });

  test('requires a token', async () => {
    for (const method of ['GET', 'DELETE']) {
      expect((await call(account, '/api/account', { method })).status).toBe(401);
    }
  });
});

describe('DELETE /api/account', () => {
  test('erases all data of the caller, including the counter of this call, and no other user’s data', async () => {
    const [leaver, stayer] = [await newUser(), await newUser()];
    for (const { token } of [leaver, stayer]) {
      await save(token, 'openai');
      await call(onboarding, '/api/onboarding', { token });
    }
    const before = (await traces(stayer.sub)).sort();
    expect((await traces(leaver.sub)).length).toBeGreaterThanOrEqual(3);
    expect((await erase(leaver.token)).status).toBe(204);
    expect(await traces(leaver.sub)).toEqual([]);
    expect((await traces(stayer.sub)).sort()).toEqual(before);
  });

  test('can be repeated, also for a user without data, and completes an interrupted erasure', async () => {
    const { sub, token } = await newUser();
    expect((await erase(token)).status).toBe(204);
    expect((await erase(token)).status).toBe(204);
    await save(token, 'openai');
    await store.hset(kvKey('used', sub), { openai: 'x' });
    await store.del(kvKey('keys', sub));
    expect((await erase(token)).status).toBe(204);
    expect(await traces(sub)).toEqual([]);
  });

  test('erases what has names of an earlier version too, so that it cannot be moved later', async () => {
    const { sub, token } = await newUser();
    const month = new Date().toISOString().slice(0, 7);
    for (const kind of ['used', 'guards', 'spent', `usage:${month}`]) {
      await store.hset(`userkeys:${kind}:${sub}`, { field: '1' });
    }
    await store.xadd(`userkeys:audit:${sub}`, '*', { action: 'save' });
    expect((await erase(token)).status).toBe(204);
    expect(await traces(sub)).toEqual([]);
  });

  test('erases everything if called concurrently, and the user can return immediately', async () => {
    const { sub, token } = await newUser();
    await save(token, 'openai');
    const responses = await Promise.all(Array.from({ length: 5 }, () => erase(token)));
    for (const response of responses) expect(response.status).toBe(204);
    expect(await traces(sub)).toEqual([]);
    expect((await save(token, 'openai')).status).toBe(201);
    expect((await read(token)).keys).toMatchObject([{ provider: 'openai', version: 1 }]);
  });

  test('cannot be used to bypass the rate limit: more than ten in 15 minutes are refused', async () => {
    const { token } = await newUser();
    for (let times = 0; times < 10; times += 1) expect((await erase(token)).status).toBe(204);
    const refused = await erase(token);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60);
  });

  test('leaves a mark that expires within 15 minutes, and nothing else', async () => {
    const { sub, token } = await newUser();
    await save(token, 'openai');
    await erase(token);
    const mark = kvKey('erased', sub);
    expect(await store.hgetall(mark)).toEqual(['at', expect.stringMatching(/^\d+$/), 'times', '1']);
    const lifetime = await store.ttl(mark);
    expect(lifetime).toBeGreaterThan(800);
    expect(lifetime).toBeLessThanOrEqual(900);
    expect(await traces(sub)).toEqual([]);
  });
});
