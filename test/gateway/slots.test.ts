import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let proxy: HandlerModule;
let token: string;
const key = newProviderKey('sk-ant-');

beforeAll(async () => {
  world = await startWorld();
  proxy = await import('../../api/proxy.ts');
  const keys: HandlerModule = await import('../../api/userkeys.ts');
  token = await world.tokenFor('alice');
  await call(keys, '/api/keys/anthropic', { method: 'PUT', token, json: { key } });
  world.providers.reset();
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

/** What went up as credentials, by header. */
async function sentWith(headers: Readonly<Record<string, string>>): Promise<Record<string, unknown>> {
  await call(proxy, '/api/proxy/anthropic/v1/messages', { method: 'POST', json: {}, headers });
  const { 'x-api-key': apiKey, authorization } = world.calls[0]?.headers ?? {};
  return { apiKey, authorization };
}

test.each(['2026-10-21', '2026-11-01', '2027-01-01'])(
  'anthropic-version %s with the token as bearer has the key sent as bearer',
  async (version) => {
    expect(await sentWith({ authorization: `Bearer ${token}`, 'anthropic-version': version })).toEqual({
      authorization: `Bearer ${key}`,
    });
  },
);

test.each(['2023-06-01', '2026-10-20', 'latest', '2026-10-21x', '9', ''])(
  'anthropic-version %j with the token as bearer has it sent as x-api-key',
  async (version) => {
    expect(await sentWith({ authorization: `Bearer ${token}`, 'anthropic-version': version })).toEqual({
      apiKey: key,
    });
  },
);

test('a token in x-api-key has the key sent there, whatever the version', async () => {
  expect(await sentWith({ 'x-api-key': token, 'anthropic-version': '2026-10-21' })).toEqual({ apiKey: key });
});

test('a caller who sends two credentials is known by the one in the provider’s own slot', async () => {
  const mallory = await world.tokenFor('mallory');
  const headers = {
    'x-api-key': token,
    authorization: `Bearer ${mallory}`,
    'anthropic-version': '2026-10-21',
  };
  expect(await sentWith(headers)).toEqual({ apiKey: key });
});

test('a caller without a version gets the one every version of the API knows', async () => {
  await sentWith({ authorization: `Bearer ${token}` });
  expect(world.calls[0]?.headers['anthropic-version']).toBe('2023-06-01');
});
