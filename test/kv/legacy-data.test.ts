/** Users whose data still has the names of an earlier version, before names had a tenant. */
import { createClient } from '@vercel/kv';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey, userId } from '../support/user-ids.ts';

let world: World;
let functions: HandlerModule;
let proxy: HandlerModule;
let withUserKeys: typeof import('../../lib/app.ts')['withUserKeys'];
let store: ReturnType<typeof createClient>;

beforeAll(async () => {
  world = await startWorld();
  functions = await import('../../api/userkeys.ts');
  proxy = await import('../../api/proxy.ts');
  ({ withUserKeys } = await import('../../lib/app.ts'));
  store = createClient({ url: world.kv.url, token: world.kv.token, automaticDeserialization: false });
});
afterAll(() => world.close());

const CALLS: readonly (readonly [method: string, path: string, json?: unknown])[] = [
  ['GET', '/api/keys'],
  ['DELETE', '/api/keys'],
  ['GET', '/api/keys/openai'],
  ['PUT', '/api/keys/openai', { key: newProviderKey() }],
  ['POST', '/api/keys/openai'],
  ['PATCH', '/api/keys/openai', { guards: { paused: true } }],
  ['DELETE', '/api/keys/openai'],
  ['GET', '/api/onboarding'],
  ['PATCH', '/api/onboarding', { step: 'api-keys', status: 'completed' }],
  ['DELETE', '/api/onboarding'],
  ['GET', '/api/proxy/openai/v1/models'],
  ['POST', '/api/generate', { provider: 'openai', prompt: 'Hello' }],
  ['POST', '/api/search', { query: 'x' }],
  ['GET', '/api/audit'],
  ['GET', '/api/usage'],
  ['GET', '/api/account'],
  ['DELETE', '/api/account'],
];

test.each(['keys', 'onboarding'])(
  'every call of a user with old %s is refused, and that data stays',
  async (kind) => {
    const sub = `old {${kind}}`;
    const oldKey = `userkeys:${kind}:${sub}`;
    await store.hset(oldKey, { openai: '{"v":1}', startedAt: '2026-01-02T03:04:05.678Z' });
    const before = await store.hgetall(oldKey);
    const [providerCalls, token] = [world.calls.length, await world.tokenFor(sub)];
    for (const [method, path, json] of CALLS) {
      const module = path.startsWith('/api/proxy') ? proxy : functions;
      const response = await call(module, path, { method, token, ...(json === undefined ? {} : { json }) });
      expect([path, response.status, response.headers.get('x-userkeys-error')]).toEqual([
        path,
        503,
        'store_outdated',
      ]);
      expect(await response.json()).toMatchObject({
        detail: expect.stringContaining('userkeys migrate tenant'),
      });
    }
    await expect(withUserKeys(userId(sub), () => 'used')).rejects.toMatchObject({ code: 'store_outdated' });
    expect(world.calls.length).toBe(providerCalls);
    expect(await store.hgetall(oldKey)).toEqual(before);
    expect(await store.exists(kvKey('keys', sub))).toBe(0);
    expect(await store.exists(kvKey('guards', sub))).toBe(0);
  },
);

test('the check travels in the request that admits the call', async () => {
  const token = await world.tokenFor('counted');
  await call(functions, '/api/keys/openai', { method: 'PUT', token, json: { key: newProviderKey() } });
  await vi.waitFor(() => expect(world.kv.requests.flat(2).join()).toContain(kvKey('security', 'counted')));
  for (const [module, path] of [
    [functions, '/api/keys'],
    [proxy, '/api/proxy/openai/v1/models'],
  ] as const) {
    const before = world.kv.requests.length;
    expect((await call(module, path, { token })).status).toBe(200);
    const [first, ...rest] = world.kv.requests.slice(before);
    expect(first?.flat().join()).toContain('userkeys:keys:counted');
    expect(rest.flat(2).join()).not.toContain('userkeys:keys:');
  }
});

test('other users are served meanwhile', async () => {
  await store.hset('userkeys:keys:someone', { openai: '{"v":1}' });
  const token = await world.tokenFor('somebody');
  expect((await call(functions, '/api/keys', { token })).status).toBe(200);
});
