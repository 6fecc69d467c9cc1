import { createClient } from '@vercel/kv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let keys: HandlerModule;
let key: HandlerModule;
let proxy: HandlerModule;
let store: ReturnType<typeof createClient>;

beforeAll(async () => {
  world = await startWorld();
  keys = await import('../../api/userkeys.ts');
  key = await import('../../api/userkeys.ts');
  proxy = await import('../../api/proxy.ts');
  store = createClient({ url: world.kv.url, token: world.kv.token, automaticDeserialization: false });
});
afterAll(() => world.close());

const save = async (sub: string, provider: string) =>
  call(key, `/api/keys/${provider}`, {
    method: 'PUT',
    token: await world.tokenFor(sub),
    json: { key: newProviderKey() },
  });
const list = async (sub: string): Promise<{ provider: string; status: string }[]> =>
  (await (await call(keys, '/api/keys', { token: await world.tokenFor(sub) })).json()).keys;
const use = async (sub: string, provider: string) =>
  call(proxy, `/api/proxy/${provider}/v1/models`, { token: await world.tokenFor(sub) });
const read = async (sub: string, provider: string) =>
  String(await store.hget(`userkeys:keys:${sub}`, provider));

describe('a record', () => {
  test.each<[string, string, string]>([
    ['copied to another user’s hash', 'mallory1', 'openai'],
    ['copied to another provider’s field', 'victim', 'mistral'],
  ])(
    '%s does not open, the provider is not called, and the list still shows the others',
    async (_what, sub, provider) => {
      await save('victim', 'openai');
      await save(sub, 'exa');
      await store.hset(`userkeys:keys:${sub}`, { [provider]: await read('victim', 'openai') });
      const before = world.calls.length;
      const response = await use(sub, provider);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: 'key_unreadable' });
      expect(world.calls.length).toBe(before);
      const shown = new Map((await list(sub)).map((entry) => [entry.provider, entry.status]));
      expect(shown.get(provider)).toBe('unreadable');
      expect(shown.get('exa')).toBe('valid');
    },
  );

  test.each(['', 'null', '{', '[]', '{"v":1}', '{"v":2,"jwe":"x"}', '"text"', '123'])(
    'that is damaged (%j) hides no other and can be saved anew',
    async (damaged) => {
      await save('damaged', 'exa');
      await store.hset('userkeys:keys:damaged', { openai: damaged });
      const shown = new Map((await list('damaged')).map((entry) => [entry.provider, entry.status]));
      expect(shown.get('openai')).toBe('unreadable');
      expect(shown.get('exa')).toBe('valid');
      expect((await use('damaged', 'openai')).status).toBe(403);
      expect((await save('damaged', 'openai')).status).toBe(200);
      expect((await use('damaged', 'openai')).status).toBe(200);
    },
  );

  test('in a field no provider has is only a string: __proto__ is neither listed nor followed', async () => {
    await save('proto', 'exa');
    await store.hset(
      'userkeys:keys:proto',
      Object.fromEntries([
        ['__proto__', '{"v":1}'],
        ['constructor', 'x'],
      ]),
    );
    expect((await list('proto')).map(({ provider }) => provider)).toEqual(['exa']);
  });

  test('holds no plaintext, and one field holds one provider', async () => {
    await save('fields', 'exa');
    await save('fields', 'groq');
    expect((await store.hkeys('userkeys:keys:fields')).sort()).toEqual(['exa', 'groq']);
  });
});

test('two subs never share a KV key, whatever they are', async () => {
  const subs = ['a', 'a:b', 'a:keys', 'userkeys:keys:a', '*', 'a b', '{a}', '[ab]'];
  for (const sub of subs) expect((await save(sub, 'exa')).status).toBe(201);
  for (const sub of subs) {
    expect(await list(sub)).toHaveLength(1);
    expect(await store.exists(`userkeys:keys:${sub}`)).toBe(1);
  }
});

test('lastUsedAt is written after a call, at most once a minute, and not for a key deleted meanwhile', async () => {
  await save('used', 'openai');
  await use('used', 'openai');
  await expect.poll(() => store.hget('userkeys:used:used', 'openai')).toMatch(/^\d{4}-/);
  const noted = await store.hget('userkeys:used:used', 'openai');
  await use('used', 'openai');
  expect(await store.hget('userkeys:used:used', 'openai')).toBe(noted);
  await call(key, '/api/keys/openai', { method: 'DELETE', token: await world.tokenFor('used') });
  expect(await store.exists('userkeys:used:used')).toBe(0);
});
