import { createClient } from '@vercel/kv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';

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
const read = async (sub: string, provider: string) => String(await store.hget(kvKey('keys', sub), provider));

describe('stored records', () => {
  test.each<[string, string, string]>([
    ['copied to another user’s hash', 'mallory1', 'openai'],
    ['copied to another provider’s field', 'victim', 'mistral'],
  ])(
    '%s does not open, its provider is not called, and the list still shows the other records',
    async (_what, sub, provider) => {
      await save('victim', 'openai');
      await save(sub, 'exa');
      await store.hset(kvKey('keys', sub), { [provider]: await read('victim', 'openai') });
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
    'a damaged record (%j) does not hide other records and can be replaced by a save',
    async (damaged) => {
      await save('damaged', 'exa');
      await store.hset(kvKey('keys', 'damaged'), { openai: damaged });
      const shown = new Map((await list('damaged')).map((entry) => [entry.provider, entry.status]));
      expect(shown.get('openai')).toBe('unreadable');
      expect(shown.get('exa')).toBe('valid');
      expect((await use('damaged', 'openai')).status).toBe(403);
      expect((await save('damaged', 'openai')).status).toBe(200);
      expect((await use('damaged', 'openai')).status).toBe(200);
    },
  );

  test('a record in the field __proto__ is not listed and does not reach the prototype', async () => {
    await save('proto', 'exa');
    await store.hset(
      kvKey('keys', 'proto'),
      Object.fromEntries([
        ['__proto__', '{"v":1}'],
        ['constructor', 'x'],
      ]),
    );
    expect((await list('proto')).map(({ provider }) => provider)).toEqual(['exa']);
  });

  test('contain no plaintext key, and each provider has its own field', async () => {
    await save('fields', 'exa');
    await save('fields', 'groq');
    expect((await store.hkeys(kvKey('keys', 'fields'))).sort()).toEqual(['exa', 'groq']);
  });
});

test('two users never share a KV key, whatever their subs are', async () => {
  const subs = ['a', 'a:b', 'a:keys', kvKey('keys', 'a'), '*', 'a b', '{a}', '[ab]'];
  for (const sub of subs) expect((await save(sub, 'exa')).status).toBe(201);
  for (const sub of subs) {
    expect(await list(sub)).toHaveLength(1);
    expect(await store.exists(kvKey('keys', sub))).toBe(1);
  }
});

test('writes lastUsedAt after a call, at most once a minute, and not for a key that was deleted meanwhile', async () => {
  await save('used', 'openai');
  await use('used', 'openai');
  await expect.poll(() => store.hget(kvKey('used', 'used'), 'openai')).toMatch(/^\d{4}-/);
  const noted = await store.hget(kvKey('used', 'used'), 'openai');
  await use('used', 'openai');
  expect(await store.hget(kvKey('used', 'used'), 'openai')).toBe(noted);
  await call(key, '/api/keys/openai', { method: 'DELETE', token: await world.tokenFor('used') });
  expect(await store.exists(kvKey('used', 'used'))).toBe(0);
});
