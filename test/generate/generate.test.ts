import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { generatingProviders } from '../../lib/providers/catalogue.ts';
import { errorQuotingKey, hang, json, redirectTo, reset, resetMidway } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { requestsBeforeResponses } from '../support/kv-requests.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let generate: HandlerModule;
let search: HandlerModule;
let key: HandlerModule;
let token: string;
const keys = new Map([...generatingProviders, 'exa'].map((provider) => [provider, newProviderKey()]));

beforeAll(async () => {
  world = await startWorld({ env: { PROVIDER_TIMEOUT_SECONDS: '1' } });
  generate = await import('../../api/generate.ts');
  search = await import('../../api/userkeys.ts');
  key = await import('../../api/userkeys.ts');
  token = await world.tokenFor('alice');
  for (const [provider, value] of keys) await save(token, provider, value);
  world.providers.reset();
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

const save = (as: string, provider: string, value: string) =>
  call(key, `/api/keys/${provider}`, { method: 'PUT', token: as, json: { key: value } });
const ask = (body: unknown, as = token) =>
  call(generate, '/api/generate', { method: 'POST', token: as, json: body });
const find = (body: unknown, as = token) =>
  call(search, '/api/search', { method: 'POST', token: as, json: body });

describe.each(generatingProviders)('a prompt to %s', (provider) => {
  test('is answered with text, provider, model and usage, paid with the caller’s key', async () => {
    const response = await ask({ provider, prompt: 'hi' });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      text: `Hello from ${provider}`,
      provider,
      model: expect.any(String),
      usage: { inputTokens: 3, outputTokens: 5 },
    });
    expect(world.calls.map(({ credential }) => credential)).toEqual([keys.get(provider)]);
  });

  test('is streamed as plain text', async () => {
    const response = await ask({ provider, prompt: 'hi', stream: true });
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('x-userkeys-provider')).toBe(provider);
    expect(await response.text()).toBe(`Hello from ${provider}`);
    expect(world.calls.map(({ credential }) => credential)).toEqual([keys.get(provider)]);
  });

  test('uses the requested model', async () => {
    const response = await ask({ provider, prompt: 'hi', model: 'my-model' });
    expect(await response.json()).toMatchObject({ model: 'my-model' });
    const sent = world.calls[0];
    expect(`${sent?.target}${sent?.body()}`).toContain('my-model');
  });
});

test('a prompt without a provider uses the first one for which the user has a key', async () => {
  const bob = await world.tokenFor('bob');
  await save(bob, 'mistral', newProviderKey());
  expect(await (await ask({ prompt: 'hi' }, bob)).json()).toMatchObject({ provider: 'mistral' });
});

test('a user without any key is refused, and no provider is called', async () => {
  const carol = await world.tokenFor('carol');
  for (const body of [{ prompt: 'hi' }, { prompt: 'hi', provider: 'openai' }]) {
    const response = await ask(body, carol);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'key_missing' });
  }
  expect((await find({ query: 'q' }, carol)).status).toBe(403);
  expect(world.calls).toEqual([]);
});

describe('a provider that', () => {
  test.each([
    ['rejects the key', json({ error: { message: 'bad key' } }, 401), 422, 'key_rejected'],
    [
      'limits the rate',
      json({ error: { message: 'slow down' } }, 429, { 'retry-after': '9' }),
      429,
      'provider_limited',
    ],
    ['does not know the model', json({ error: { message: 'no such model' } }, 404), 400, 'provider_refused'],
    ['fails', json({ error: { message: 'oops' } }, 500), 502, 'provider_error'],
    ['cannot be reached', reset, 502, 'provider_unreachable'],
    ['sends no response', hang, 504, 'provider_timeout'],
    ['redirects', redirectTo('http://127.0.0.1:9/'), 502, 'provider_error'],
  ] as const)('%s is a problem with the right code, streamed or not', async (_what, answer, status, code) => {
    for (const stream of [false, true]) {
      world.providers.answerNextWith(answer);
      const response = await ask({ provider: 'openai', prompt: 'hi', stream });
      expect([response.status, (await response.json()).code]).toEqual([status, code]);
    }
    world.providers.answerNextWith(answer);
    if (code !== 'provider_error') expect((await find({ query: 'q' })).status).toBe(status);
  });

  test('answers with invalid JSON is a problem too', async () => {
    world.providers.answerNextWith(json('rubbish'));
    expect((await ask({ provider: 'openai', prompt: 'hi' })).status).toBe(502);
  });

  test('quotes the key has it removed from the forwarded message', async () => {
    for (const attempt of [() => ask({ provider: 'openai', prompt: 'hi' }), () => find({ query: 'q' })]) {
      world.providers.answerNextWith(errorQuotingKey(400));
      expect(await (await attempt()).json()).toMatchObject({ providerMessage: 'Invalid API key: [key]' });
    }
  });

  test('fails in the middle of a stream makes the stream fail', async () => {
    world.providers.answerNextWith(async (recorded, response) => {
      await recorded.received;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(
        'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]},"index":0}]}\n\n',
        () => setImmediate(() => response.destroy()),
      );
    });
    const response = await ask({ provider: 'gemini', prompt: 'hi', stream: true });
    await expect(response.text()).rejects.toThrow();
    world.providers.answerNextWith(resetMidway);
    expect((await ask({ provider: 'gemini', prompt: 'hi', stream: true })).status).toBe(502);
  });
});

test('a caller who disconnects from a stream ends the provider’s call', async () => {
  world.providers.answerNextWith(async (recorded, response) => {
    await recorded.received;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(
      'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]},"index":0}]}\n\n',
    );
  });
  const leaving = new AbortController();
  const response = await call(generate, '/api/generate', {
    method: 'POST',
    token,
    json: { provider: 'gemini', prompt: 'hi', stream: true },
    signal: leaving.signal,
  });
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  leaving.abort();
  await world.calls[0]?.left;
});

test.each<[unknown, string]>([
  [{ prompt: '' }, '/prompt'],
  [{ prompt: 7 }, '/prompt'],
  [{}, '/prompt'],
  [{ prompt: 'hi', provider: 'exa' }, '/provider'],
  [{ prompt: 'hi', provider: '__proto__' }, '/provider'],
  [{ prompt: 'hi', model: '../../x' }, '/model'],
  [{ prompt: 'hi', model: 'a/../b' }, '/model'],
  [{ prompt: 'hi', stream: 'yes' }, '/stream'],
  [{ prompt: 'hi', extra: 1 }, ''],
])('%j is refused, with a pointer to the invalid field', async (body, pointer) => {
  const response = await ask(body);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code: 'invalid_request', errors: [{ pointer }] });
});

describe('a search', () => {
  test('returns Exa’s own answer, paid with the caller’s key', async () => {
    const response = await find({ query: 'q', numResults: 3 });
    expect(await response.json()).toMatchObject({ results: [{ title: 'Hello from exa' }] });
    expect(world.calls[0]).toMatchObject({ provider: 'exa', target: '/search', credential: keys.get('exa') });
    expect(world.calls[0]?.json()).toEqual({ query: 'q', numResults: 3 });
  });

  test.each([[{}], [{ query: '' }], [{ query: 'q', numResults: 0 }], [{ query: 'q', numResults: 1.5 }]])(
    '%j is refused',
    async (body) => {
      expect((await find(body)).status).toBe(400);
    },
  );
});

test('makes one KV request before the provider is called', async () => {
  for (const attempt of [() => ask({ prompt: 'hi' }), () => find({ query: 'q' })]) {
    const before = requestsBeforeResponses(world);
    let atProvider = 0;
    world.providers.answerNextWith((recorded, response) => {
      atProvider = requestsBeforeResponses(world);
      return json({}, 400)(recorded, response);
    });
    await attempt();
    expect(atProvider - before).toBe(1);
  }
});
