import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type CallInit, call, type HandlerModule } from '../support/call.ts';
import { requestsBeforeResponses } from '../support/kv-requests.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let modules: Record<'keys' | 'key' | 'proxy' | 'generate' | 'search', HandlerModule>;
let withUserKeys: typeof import('../../lib/app.ts')['withUserKeys'];
let authenticate: typeof import('../../lib/app.ts')['authenticate'];
let user = 0;
let token: string;
/** Noon, at the start of a minute, so that no series of calls spans two minutes or two days. */
const NOON = Date.parse('2031-03-04T12:00:01Z');

beforeAll(async () => {
  // The tokens are valid for the days that these tests go through.
  world = await startWorld({ env: { AUTH_MAX_TOKEN_HOURS: '192' } });
  modules = {
    keys: await import('../../api/userkeys.ts'),
    key: await import('../../api/userkeys.ts'),
    proxy: await import('../../api/proxy.ts'),
    generate: await import('../../api/generate.ts'),
    search: await import('../../api/userkeys.ts'),
  };
  ({ withUserKeys, authenticate } = await import('../../lib/app.ts'));
});
afterAll(() => world.close());
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOON });
  user += 1;
  token = await tokenOf(`guarded-${user}`);
  await store('openai');
  world.providers.reset();
});
afterEach(() => vi.useRealTimers());

/** A token that is also valid at the faked time. */
async function tokenOf(sub: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return world.tokenFor(sub, { iat: now, exp: now + 7 * 24 * 60 * 60 });
}

const send = (module: keyof typeof modules, path: string, init: CallInit = {}) =>
  call(modules[module], path, { token, ...init });
const store = (provider: string) =>
  send('key', `/api/keys/${provider}`, { method: 'PUT', json: { key: newProviderKey() } });
const guard = (guards: unknown, provider = 'openai') =>
  send('key', `/api/keys/${provider}`, { method: 'PATCH', json: { guards } });
const chat = (body: unknown = { model: 'gpt-a', messages: [] }) =>
  send('proxy', '/api/proxy/openai/v1/chat/completions', { method: 'POST', json: body });
const metadata = async () => (await send('key', '/api/keys/openai')).json();

async function refused(response: Response, status: number, code: string): Promise<void> {
  expect(response.status).toBe(status);
  expect(response.headers.get('x-userkeys-error')).toBe(code);
  expect(await response.json()).toMatchObject({ code, status });
  expect(world.calls).toEqual([]);
}

test('a daily limit of N allows exactly N of 500 concurrent calls', async () => {
  await guard({ callsPerDay: 37 });
  const responses = await Promise.all(Array.from({ length: 500 }, () => chat()));
  expect(responses.filter(({ status }) => status === 200)).toHaveLength(37);
  expect(responses.filter(({ status }) => status === 429)).toHaveLength(463);
  expect(world.calls).toHaveLength(37);
  expect((await metadata()).guards).toMatchObject({ callsPerDay: 37, callsToday: 37 });
});

test('a refusal says when the day ends, and calls pass again after that', async () => {
  await guard({ callsPerDay: 1 });
  expect((await chat()).status).toBe(200);
  world.providers.reset();
  const response = await chat();
  expect(response.headers.get('retry-after')).toBe(String(12 * 60 * 60 - 1));
  expect(response.headers.get('ratelimit-policy')).toBe('"per-day";q=1;w=86400');
  await refused(response, 429, 'daily_limit_reached');
  vi.setSystemTime(Date.parse('2031-03-04T23:59:59Z'));
  expect((await chat()).status).toBe(429);
  vi.setSystemTime(Date.parse('2031-03-05T00:00:00Z'));
  expect((await chat()).status).toBe(200);
  // An instance whose clock is behind must not restore yesterday's count.
  vi.setSystemTime(Date.parse('2031-03-04T23:59:59Z'));
  expect((await chat()).status).toBe(429);
});

test('calls made before a daily limit was set count towards it', async () => {
  await chat();
  await chat();
  await guard({ callsPerDay: 3 });
  expect((await chat()).status).toBe(200);
  expect((await chat()).status).toBe(429);
});

test('a paused key is not used until the pause ends', async () => {
  await guard({ paused: true });
  await refused(await chat(), 403, 'key_paused');
  await guard({ paused: false });
  expect((await chat()).status).toBe(200);
});

test('a key is used until it expires and not after that', async () => {
  await guard({ expiresAt: '2031-03-04T12:00:02Z' });
  expect((await chat()).status).toBe(200);
  world.providers.reset();
  vi.setSystemTime(NOON + 1000);
  await refused(await chat(), 403, 'key_expired');
});

test('a paused or expired key is not checked with its provider', async () => {
  const check = () => send('key', '/api/keys/openai', { method: 'POST' });
  await guard({ paused: true });
  await refused(await check(), 403, 'key_paused');
  await guard({ paused: false, expiresAt: '2031-03-04T12:00:02Z' });
  expect((await check()).status).toBe(200);
  world.providers.reset();
  vi.setSystemTime(NOON + 1000);
  await refused(await check(), 403, 'key_expired');
});

test('a call refused for its model does not count towards the daily limit', async () => {
  await guard({ callsPerDay: 5, models: ['gpt-a'] });
  await refused(await chat({ model: 'gpt-b' }), 403, 'model_not_allowed');
  await vi.waitFor(async () => expect((await metadata()).guards.callsToday).toBe(0));
  expect((await chat()).status).toBe(200);
});

const elsewhere: readonly [string, string, unknown][] = [
  ['another model', '/v1/chat/completions', { model: 'gpt-b' }],
  ['no model', '/v1/chat/completions', { messages: [] }],
  ['a second model', '/v1/chat/completions', '{"model":"gpt-b","x":{"model":1},"model":"gpt-a"}'],
  ['a second model in a different case', '/v1/chat/completions', '{"model":"gpt-a","Model":"gpt-b"}'],
  ['a second model, escaped', '/v1/chat/completions', '{"mod\\u0065l":"gpt-b","model":"gpt-a"}'],
  ['a list of fallback models', '/v1/chat/completions', { model: 'gpt-a', models: ['gpt-b'] }],
  ['a body that is not JSON', '/v1/chat/completions', 'model=gpt-a'],
  ['JSON after a byte order mark', '/v1/chat/completions', '\ufeff{"model":"gpt-a"}'],
  ['a tool’s own model', '/v1/responses', { model: 'gpt-a', tools: [{ type: 'x', model: 'gpt-b' }] }],
  [
    'a tool’s own model in a duplicate member',
    '/v1/responses',
    '{"model":"gpt-a","t":[{"model":"gpt-b"}],"t":[]}',
  ],
  ['a tool’s own list of models', '/v1/responses', { model: 'gpt-a', x: { fallback_models: ['gpt-b'] } }],
  ['a model that is not a string', '/v1/responses', { model: 'gpt-a', x: { model: { id: 'gpt-b' } } }],
  ['a list of models that are not strings', '/v1/responses', { model: 'gpt-a', models: [['gpt-b']] }],
  ['a model in the query', '/v1/chat/completions?model=gpt-b', { model: 'gpt-a' }],
  ['a model in the query, encoded', '/v1/chat/completions?a=1&mode%6C%5B%5D=gpt-b', { model: 'gpt-a' }],
  ['a path that names a model', '/v1/engines/gpt-b/completions', { model: 'gpt-a' }],
  ['an unknown path', '/v1/batches', { model: 'gpt-a' }],
];
test.each(elsewhere)('a key restricted to one model is not used for %s', async (_what, path, body) => {
  await guard({ models: ['gpt-a'] });
  const response = await send('proxy', `/api/proxy/openai${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  await refused(response, 403, 'model_not_allowed');
});

test.each([
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain;charset=UTF-8',
  'application/json; charset=utf-16',
  'application/json; charset=utf-7',
  'application/json, application/x-www-form-urlencoded',
  '',
])('a key restricted to one model is not used for a body with content type %j', async (type) => {
  await guard({ models: ['gpt-a'] });
  const response = await send('proxy', '/api/proxy/openai/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': type },
    body: '{"model":"gpt-a","x":"&model=gpt-b&"}',
  });
  await refused(response, 403, 'model_not_allowed');
});

test.each([
  [
    'a parameter of a tool called model',
    { tools: [{ parameters: { properties: { model: { type: 'string' } } } }] },
  ],
  ['other models that are allowed too', { models: ['gpt-b'], tools: [{ type: 'x', model: 'gpt-b' }] }],
  ['text about models', { messages: [{ role: 'model', content: '"model":"gpt-c", {"model":"gpt-d"}' }] }],
])('a key restricted to models is used for a call with %s', async (_what, more) => {
  await guard({ models: ['gpt-a', 'gpt-b'] });
  expect((await chat({ model: 'gpt-a', ...more })).status).toBe(200);
  expect(world.calls).toHaveLength(1);
});

test('a body of the maximum size is checked quickly, whatever it contains', async () => {
  await guard({ models: ['gpt-a'] });
  for (const piece of ['\\"', 'a', '[],']) {
    const filling = piece.repeat(Math.floor(4_400_000 / piece.length));
    const value = piece === '[],' ? `[${filling}0]` : `"${filling}"`;
    const startedAt = performance.now();
    const response = await send('proxy', '/api/proxy/openai/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"x":${value},"model":"gpt-a"}`,
    });
    expect(response.status, piece).toBe(200);
    expect(performance.now() - startedAt, piece).toBeLessThan(5_000);
  }
});

test('an allowed call reaches the provider byte for byte', async () => {
  await guard({ models: ['gpt-a', 'gpt-b'] });
  const body = `{ "model" : "gpt-b", "seed": 12345678901234567890, "text": "${'\\" é\\n'.repeat(50_000)}" }`;
  const response = await send('proxy', '/api/proxy/openai/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(response.status).toBe(200);
  expect(world.calls[0]?.body().toString()).toBe(body);
});

test('the model in a Gemini path is checked', async () => {
  await store('gemini');
  await guard({ models: ['gemini-a'] }, 'gemini');
  world.providers.reset();
  const ask = (model: string, body = {}, query = '') =>
    send('proxy', `/api/proxy/gemini/v1beta/models/${model}:generateContent${query}`, {
      method: 'POST',
      json: body,
    });
  await refused(await ask('gemini-b'), 403, 'model_not_allowed');
  await refused(await ask('gemini%2Da'), 403, 'model_not_allowed');
  await refused(
    await ask('gemini-a', { requests: [{ model: 'models/gemini-b' }] }),
    403,
    'model_not_allowed',
  );
  await refused(await ask('gemini-a', {}, '?model=models/gemini-b'), 403, 'model_not_allowed');
  expect((await ask('gemini-a', { requests: [{ model: 'models/gemini-a' }] }, '?alt=json')).status).toBe(200);
  expect((await send('proxy', '/api/proxy/gemini/v1beta/models/gemini-a')).status).toBe(200);
});

test('generate skips a key that a guard refuses, unless the request names its provider', async () => {
  await store('anthropic');
  await guard({ paused: true });
  const body = { prompt: 'hi' };
  const named = await send('generate', '/api/generate', {
    method: 'POST',
    json: { ...body, provider: 'openai' },
  });
  expect(named.headers.get('x-userkeys-error')).toBe('key_paused');
  const free = await send('generate', '/api/generate', { method: 'POST', json: body });
  expect(await free.json()).toMatchObject({ provider: 'anthropic' });
  await guard({ paused: true }, 'anthropic');
  const none = await send('generate', '/api/generate', { method: 'POST', json: body });
  expect(none.headers.get('x-userkeys-error')).toBe('key_paused');
});

test('generate counts a call only for the key that it uses', async () => {
  await store('anthropic');
  await guard({ callsPerDay: 9 }, 'anthropic');
  await guard({ callsPerDay: 9 });
  const counts = async () => {
    const { keys } = await (await send('keys', '/api/keys')).json();
    return keys.map(({ provider, guards }: { provider: string; guards: { callsToday: number } }) => [
      provider,
      guards.callsToday,
    ]);
  };
  await send('generate', '/api/generate', { method: 'POST', json: { prompt: 'hi' } });
  expect(await counts()).toEqual([
    ['openai', 1],
    ['anthropic', 0],
  ]);
});

test('generate may only use allowed models, including for its default model', async () => {
  await guard({ models: ['gpt-a'] });
  const ask = (model?: string) =>
    send('generate', '/api/generate', { method: 'POST', json: { prompt: 'hi', provider: 'openai', model } });
  expect((await ask()).headers.get('x-userkeys-error')).toBe('model_not_allowed');
  expect((await ask('gpt-b')).headers.get('x-userkeys-error')).toBe('model_not_allowed');
  expect((await ask('gpt-a')).status).toBe(200);
});

test('withUserKeys returns no key that a guard refuses', async () => {
  const id = await authenticate(new Request('http://x/', { headers: { authorization: `Bearer ${token}` } }));
  await store('anthropic');
  await guard({ callsPerDay: 2 });
  const scope = () => withUserKeys(id, (keys) => keys.get('openai').then(() => 'used'));
  expect(await withUserKeys(id, (keys) => keys.get('anthropic').then(() => 'other'))).toBe('other');
  await vi.waitFor(async () => expect((await metadata()).guards.callsToday).toBe(0));
  const results = await Promise.allSettled(Array.from({ length: 20 }, scope));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  await guard({ callsPerDay: null, paused: true });
  await expect(scope()).rejects.toMatchObject({ code: 'key_paused' });
});

test('replacing a key keeps its guards, and deleting it deletes them', async () => {
  await guard({ callsPerDay: 5, models: ['gpt-a'], expiresAt: '2032-01-01T01:00:00+01:00' });
  await chat();
  const saved = await (await store('openai')).json();
  const expected = {
    callsPerDay: 5,
    callsToday: 1,
    models: ['gpt-a'],
    paused: false,
    expiresAt: '2032-01-01T00:00:00.000Z',
  };
  expect(saved.guards).toEqual(expected);
  expect((await (await guard({ callsPerDay: null })).json()).guards).toEqual({
    ...expected,
    callsPerDay: null,
  });
  await send('key', '/api/keys/openai', { method: 'DELETE' });
  await store('openai');
  expect(await metadata()).not.toHaveProperty('guards');
});

test('a browser key is not returned while it is paused or expired', async () => {
  await store('copilotkit');
  const read = async () => (await send('key', '/api/keys/copilotkit')).json();
  expect(await read()).toHaveProperty('key');
  await guard({ paused: true }, 'copilotkit');
  expect(await read()).not.toHaveProperty('key');
  await guard({ paused: false, expiresAt: new Date(NOON).toISOString() }, 'copilotkit');
  expect(await read()).not.toHaveProperty('key');
});

test('refuses guards for a missing key and invalid guards', async () => {
  expect((await guard({ paused: true }, 'groq')).headers.get('x-userkeys-error')).toBe('key_missing');
  for (const bad of [
    { callsPerDay: 1.5 },
    { callsPerDay: -1 },
    { models: [] },
    { models: ['a b'] },
    { x: 1 },
    { expiresAt: 'soon' },
    { paused: 'yes' },
  ]) {
    expect((await guard(bad)).status).toBe(400);
  }
});

test('makes one KV request before the provider is called', async () => {
  await guard({ callsPerDay: 5, models: ['gpt-a'] });
  const before = requestsBeforeResponses(world);
  let asked = 0;
  world.providers.answerNextWith((_call, response) => {
    asked = requestsBeforeResponses(world) - before;
    response.end('{}');
  });
  await chat();
  expect(asked).toBe(1);
});
