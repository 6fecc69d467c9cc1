import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { type Answer, json } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let proxy: HandlerModule;
let generate: HandlerModule;
let search: HandlerModule;
let key: HandlerModule;
let users = 0;
let token: string;
/** The work that a response leaves to the platform. */
const later: Promise<unknown>[] = [];
const REQUEST_CONTEXT = Symbol.for('@vercel/request-context');

beforeAll(async () => {
  const waitUntil = (work: Promise<unknown>) => later.push(work);
  Reflect.set(globalThis, REQUEST_CONTEXT, { get: () => ({ waitUntil }) });
  world = await startWorld();
  proxy = await import('../../api/proxy.ts');
  generate = await import('../../api/generate.ts');
  search = await import('../../api/userkeys.ts');
  key = await import('../../api/userkeys.ts');
});
afterAll(async () => {
  Reflect.deleteProperty(globalThis, REQUEST_CONTEXT);
  await world.close();
});
afterEach(() => world.providers.reset());

/** A new user with one valid key that was used once, so that only a status change can cause another write. */
async function newUserWithKey(provider: ProviderId): Promise<void> {
  users += 1;
  token = await world.tokenFor(`user_${users}`);
  await save(provider);
  await through(provider, '/used-once');
  await waitForIdleKv();
}

const save = (provider: ProviderId) =>
  call(key, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: newProviderKey() } });
const through = (provider: ProviderId, path = '/v1/anything', method = 'POST') =>
  call(proxy, `/api/proxy/${provider}${path}`, { method, token });
const unauthorized = json({ error: { message: 'Invalid API key' } }, 401);

async function statusOf(provider: ProviderId): Promise<unknown> {
  const { status } = await (await call(key, `/api/keys/${provider}`, { token })).json();
  return status;
}

/** Waits for all writes after a response. */
async function waitForIdleKv(): Promise<void> {
  while (later.length > 0) await Promise.all(later.splice(0));
}

/** How many record writes were attempted. Other writes after a call are not counted. */
function recordWrites(): number {
  const holdRecord = (command: readonly string[]) => command.some((part) => part.includes('"jwe":'));
  return world.kv.requests.filter((commands) => commands.some(holdRecord)).length;
}

async function answerOnce(answer: Answer, provider: ProviderId, path?: string): Promise<Response> {
  world.providers.answerNextWith(answer);
  const response = await through(provider, path);
  await waitForIdleKv();
  return response;
}

test('a provider’s 401 passes unchanged, and marks the key invalid after the response', async () => {
  await newUserWithKey('openai');
  world.providers.answerNextWith(unauthorized);
  const before = world.kv.requests.length;
  const response = await through('openai');
  expect(world.kv.requests.length - before).toBe(1);
  expect(response.status).toBe(401);
  expect(response.headers.has('x-userkeys-error')).toBe(false);
  expect(await response.json()).toEqual({ error: { message: 'Invalid API key' } });
  await waitForIdleKv();
  expect(await statusOf('openai')).toBe('invalid');
});

test('a later success clears that, and an invalid key is not marked again', async () => {
  await newUserWithKey('openai');
  await answerOnce(unauthorized, 'openai');
  const before = recordWrites();
  await answerOnce(unauthorized, 'openai');
  expect(recordWrites() - before).toBe(0);
  await answerOnce(json({}), 'openai');
  expect(await statusOf('openai')).toBe('valid');
});

test('nothing is written about a healthy key', async () => {
  await newUserWithKey('openai');
  const before = recordWrites();
  for (let calls = 0; calls < 3; calls += 1) await answerOnce(json({}), 'openai');
  await answerOnce(json({ error: 'overloaded' }, 503), 'openai');
  expect(recordWrites() - before).toBe(0);
  await answerOnce(unauthorized, 'openai');
  expect(recordWrites() - before).toBe(1);
});

test('an unverified key becomes valid with the first successful call', async () => {
  await newUserWithKey('openai');
  world.providers.answerNextWith(json({}, 500));
  await save('openai');
  expect(await statusOf('openai')).toBe('unverified');
  await answerOnce(json({}), 'openai');
  expect(await statusOf('openai')).toBe('valid');
});

test('a key saved during a call with the old key keeps its own status', async () => {
  await newUserWithKey('openai');
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const arrived = new Promise<void>((resolve) => {
    world.providers.answerNextWith(async (recorded, response) => {
      resolve();
      await gate;
      await unauthorized(recorded, response);
    });
  });
  const slow = through('openai');
  await arrived;
  await save('openai');
  release();
  expect((await slow).status).toBe(401);
  await waitForIdleKv();
  expect(await statusOf('openai')).toBe('valid');
});

test('a key deleted during its call stays deleted', async () => {
  await newUserWithKey('openai');
  world.providers.answerNextWith(async (recorded, response) => {
    await call(key, '/api/keys/openai', { method: 'DELETE', token });
    await unauthorized(recorded, response);
  });
  await through('openai');
  await waitForIdleKv();
  expect((await call(key, '/api/keys/openai', { token })).status).toBe(403);
});

describe('an answer that marks a key invalid', () => {
  test.each<[ProviderId, number, unknown]>([
    [
      'anthropic',
      401,
      { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } },
    ],
    ['gemini', 400, { error: { details: [{ reason: 'API_KEY_INVALID' }] } }],
    ['xai', 400, { error: 'Incorrect API key provided' }],
    ['elevenlabs', 401, { detail: { status: 'invalid_api_key' } }],
  ])('%s: %i %j', async (provider, status, body) => {
    await newUserWithKey(provider);
    await answerOnce(json(body, status), provider);
    expect(await statusOf(provider)).toBe('invalid');
  });
});

describe('an answer that does not mark a key invalid', () => {
  test.each<[ProviderId, number, unknown]>([
    ['openai', 401, { error: { message: 'Missing scopes: api.model.read' } }],
    ['elevenlabs', 401, { detail: { status: 'missing_permissions' } }],
    ['gemini', 401, { error: { status: 'UNAUTHENTICATED' } }],
    ['openai', 400, { error: { message: 'Bad model' } }],
    ['xai', 400, { error: 'Bad model' }],
    ['serper', 403, { message: 'Forbidden' }],
    ['openai', 403, { error: { message: 'Country not supported' } }],
    ['openai', 429, { error: { message: 'Slow down' } }],
    ['openai', 500, {}],
  ])('%s: %i %j', async (provider, status, body) => {
    await newUserWithKey(provider);
    await answerOnce(json(body, status), provider);
    expect(await statusOf(provider)).toBe('valid');
  });

  test('a 401 with an unreadable body, if its text would decide', async () => {
    await newUserWithKey('openai');
    await answerOnce(json({ error: 'x' }, 401, { 'content-encoding': 'gzip' }), 'openai');
    expect(await statusOf('openai')).toBe('valid');
  });

  test('one of our own refusals', async () => {
    await newUserWithKey('openai');
    expect((await call(proxy, '/api/proxy/openai/v1/x', { token: `${token}x` })).status).toBe(401);
    await waitForIdleKv();
    expect(await statusOf('openai')).toBe('valid');
  });
});

test('a success on a path that does not check the key does not change its status', async () => {
  await newUserWithKey('openrouter');
  await answerOnce(unauthorized, 'openrouter');
  world.providers.answerNextWith(json({ data: [] }));
  await through('openrouter', '/api/v1/models', 'GET');
  await waitForIdleKv();
  expect(await statusOf('openrouter')).toBe('invalid');
});

describe('generate and search record the status too', () => {
  test.each([
    ['openai', () => call(generate, '/api/generate', { method: 'POST', token, json: { prompt: 'hi' } })],
    ['exa', () => call(search, '/api/search', { method: 'POST', token, json: { query: 'q' } })],
  ] as const)('%s', async (provider, ask) => {
    await newUserWithKey(provider);
    world.providers.answerNextWith(unauthorized);
    expect((await ask()).status).toBe(422);
    await waitForIdleKv();
    expect(await statusOf(provider)).toBe('invalid');
    expect((await ask()).status).toBe(200);
    await waitForIdleKv();
    expect(await statusOf(provider)).toBe('valid');
  });
});
