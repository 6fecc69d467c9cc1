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

/** The credentials that reached the provider, by header. */
async function credentialsSentFor(
  headers: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
  await call(proxy, '/api/proxy/anthropic/v1/messages', { method: 'POST', json: {}, headers });
  const { 'x-api-key': apiKey, authorization } = world.calls[0]?.headers ?? {};
  return { apiKey, authorization };
}

test.each(['2026-10-21', '2026-11-01', '2027-01-01'])(
  'for anthropic-version %s and a bearer token, the key is sent as bearer',
  async (version) => {
    expect(
      await credentialsSentFor({ authorization: `Bearer ${token}`, 'anthropic-version': version }),
    ).toEqual({
      authorization: `Bearer ${key}`,
    });
  },
);

test.each(['2023-06-01', '2026-10-20', 'latest', '2026-10-21x', '9', ''])(
  'for anthropic-version %j and a bearer token, the key is sent as x-api-key',
  async (version) => {
    expect(
      await credentialsSentFor({ authorization: `Bearer ${token}`, 'anthropic-version': version }),
    ).toEqual({
      apiKey: key,
    });
  },
);

test('for a token in x-api-key, the key is sent there, whatever the version', async () => {
  expect(await credentialsSentFor({ 'x-api-key': token, 'anthropic-version': '2026-10-21' })).toEqual({
    apiKey: key,
  });
});

test('if a caller sends two credentials, the one in the provider’s own header is used', async () => {
  const mallory = await world.tokenFor('mallory');
  const headers = {
    'x-api-key': token,
    authorization: `Bearer ${mallory}`,
    'anthropic-version': '2026-10-21',
  };
  expect(await credentialsSentFor(headers)).toEqual({ apiKey: key });
});

test('without a version, the key is sent in the header that every API version accepts', async () => {
  await credentialsSentFor({ authorization: `Bearer ${token}` });
  expect(world.calls[0]?.headers['anthropic-version']).toBe('2023-06-01');
});
