import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';

let world: World;
let modules: Record<'key' | 'proxy', HandlerModule>;

beforeAll(async () => {
  world = await startWorld({ env: { RATE_LIMIT_PER_MINUTE: '20' } });
  modules = {
    key: await import('../../api/userkeys.ts'),
    proxy: await import('../../api/proxy.ts'),
  };
});
afterAll(() => world.close());

test('a call over the rate limit does not count towards the daily limit', async () => {
  const token = await world.tokenFor('both-limits');
  const send = (method: string, json?: unknown) =>
    call(modules.key, '/api/keys/openai', { method, token, ...(json ? { json } : {}) });
  await send('PUT', { key: newProviderKey() });
  const { guards } = await (await send('PATCH', { guards: { callsPerDay: 1000 } })).json();
  expect(guards.callsToday).toBe(0);
  world.providers.reset();
  const responses = await Promise.all(
    Array.from({ length: 40 }, () => call(modules.proxy, '/api/proxy/openai/v1/models', { token })),
  );
  expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200, 429]));
  const { createClient } = await import('@vercel/kv');
  const store = createClient({ url: world.kv.url, token: world.kv.token });
  expect(await store.hget(kvKey('spent', 'both-limits'), 'openai')).toBe(world.calls.length);
});
