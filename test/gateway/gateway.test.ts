import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  echo,
  errorQuotingKey,
  events,
  hang,
  json,
  redirectTo,
  reset,
  resetMidway,
} from '../support/answers.ts';
import { type CallInit, call, type HandlerModule } from '../support/call.ts';
import { requestsBeforeResponses } from '../support/kv-requests.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let proxy: HandlerModule;
let key: HandlerModule;
let token: string;
const openaiKey = newProviderKey();
const anthropicKey = newProviderKey('sk-ant-');

beforeAll(async () => {
  world = await startWorld({ env: { PROVIDER_TIMEOUT_SECONDS: '1' } });
  proxy = await import('../../api/proxy.ts');
  key = await import('../../api/userkeys.ts');
  token = await world.tokenFor('alice');
  for (const [provider, value] of [
    ['openai', openaiKey],
    ['anthropic', anthropicKey],
    ['gemini', newProviderKey()],
  ]) {
    await call(key, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: value } });
  }
  world.providers.reset();
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

const through = (path: string, init: CallInit = {}) => call(proxy, `/api/proxy${path}`, { token, ...init });

describe('the request to the provider', () => {
  test('is the caller’s request with the user’s key in place of the token', async () => {
    await through('/openai/v1/chat/completions?a=1&b=%20x', {
      method: 'POST',
      json: { model: 'm' },
      headers: {
        'openai-organization': 'org',
        cookie: 'a=b',
        'x-vercel-oidc-token': 'o',
        'openai-beta': 'x=1',
      },
    });
    const sent = world.calls[0];
    expect(sent).toMatchObject({
      method: 'POST',
      target: '/v1/chat/completions?a=1&b=%20x',
      credential: openaiKey,
    });
    expect(sent?.json()).toEqual({ model: 'm' });
    expect(sent?.headers).toMatchObject({ 'openai-beta': 'x=1', 'accept-encoding': 'identity' });
    for (const name of ['openai-organization', 'cookie', 'x-vercel-oidc-token', 'x-forwarded-for']) {
      expect(sent?.headers).not.toHaveProperty(name);
    }
    expect(sent?.rawHeaders.join('\n')).not.toContain(token);
  });

  test('carries exactly one credential, even if the caller sent several, and no token in the query', async () => {
    const other = newProviderKey('other-');
    await call(proxy, `/api/proxy/anthropic/v1/messages?token=${token}&x=1`, {
      method: 'POST',
      headers: { 'x-api-key': token, authorization: `Bearer ${other}`, 'x-goog-api-key': other },
      json: {},
    });
    const sent = world.calls[0];
    expect(sent?.target).toBe('/v1/messages?x=1');
    expect(sent?.headers['x-api-key']).toBe(anthropicKey);
    expect(sent?.headers['anthropic-version']).toBe('2023-06-01');
    expect(sent?.headers).not.toHaveProperty('authorization');
    expect(sent?.headers).not.toHaveProperty('x-goog-api-key');
    expect(sent?.rawHeaders.join('\n')).not.toMatch(new RegExp(`${token}|${other}`));
  });

  test.each([
    ['as a parameter’s name', (jwt: string) => `/v1/x?${jwt}&a=1`],
    ['as a name with a value', (jwt: string) => `/v1/x?${jwt}=1&a=1`],
    ['encoded twice', (jwt: string) => `/v1/x?t=${jwt.replaceAll('.', '%252E')}&a=1`],
    ['after a semicolon', (jwt: string) => `/v1/x?b=1;t=${jwt}&a=1`],
  ])('never has the caller’s token in the query, not even %s', async (_how, path) => {
    await through(`/openai${path(token)}`);
    expect(world.calls[0]?.target).toBe('/v1/x?a=1');
  });

  test('is refused if the caller’s token is in the path', async () => {
    for (const written of [token, token.replaceAll('.', '%2e'), token.replaceAll('.', '%25252E')]) {
      const response = await through(`/openai/v1/${written}/x`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'path_refused' });
    }
    expect(world.calls).toEqual([]);
  });

  test('never has a Gemini key in the query', async () => {
    await through('/gemini/v1beta/models?key=abc&pageSize=2&%6bey=abc');
    expect(world.calls[0]?.target).toBe('/v1beta/models?pageSize=2');
  });

  test('streams a body of unknown length completely', async () => {
    world.providers.answerNextWith(echo);
    const chunks = Array.from({ length: 50 }, (_, index) => new TextEncoder().encode(`chunk ${index};`));
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const next = chunks.shift();
        if (next) controller.enqueue(next);
        else controller.close();
      },
    });
    const response = await through('/openai/v1/files', { method: 'POST', body });
    expect((await response.text()).match(/chunk/g)).toHaveLength(50);
  });
});

describe('the path', () => {
  const origins = () => world.calls.map(({ provider }) => provider);
  test.each([
    '/openai//evil.example/x',
    '/openai/https://evil.example/x',
    '/openai/v1/..%2f..%2fx',
    '/openai/%252e%252e/x',
    '/openai/v1/%5c%5cevil',
    '/openai/v1/x%00y',
    '/openai/v1/x%0d%0ay',
    '/openai/..;/x',
    '/openai/v1/..;a=b/x',
    '/openai/v1/%2e%2e%3b/x',
    '/openai/v1/.;/x',
    '/openai/v1/..x',
  ])('%s is refused', async (path) => {
    const response = await through(path);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'path_refused' });
    expect(origins()).toEqual([]);
  });

  test.each(['/openai/../../keys', '/openai/%2e%2e/%2e%2e/keys', '/nobody/v1', '/__proto__/v1'])(
    '%s is a 404',
    async (path) => {
      expect((await through(path)).status).toBe(404);
      expect(origins()).toEqual([]);
    },
  );

  test('may contain colons, encoded slashes and at signs, which providers use', async () => {
    await through('/gemini/v1beta/models/gemini-flash:countTokens');
    await through('/openai/v1/models/org%2Fmodel');
    await through('/openai/@evil.example/x');
    expect(world.calls.map(({ target }) => target)).toEqual([
      '/v1beta/models/gemini-flash:countTokens',
      '/v1/models/org%2Fmodel',
      '/@evil.example/x',
    ]);
  });
});

describe('the response to the caller', () => {
  test('is the provider’s own answer, also for errors, and our own errors are distinguishable', async () => {
    world.providers.answerNextWith(
      json({ error: 'no' }, 429, { 'retry-after': '7', 'x-should-retry': 'false' }),
    );
    const theirs = await through('/openai/v1/models');
    expect(theirs.status).toBe(429);
    expect(theirs.headers.get('retry-after')).toBe('7');
    expect(theirs.headers.get('x-should-retry')).toBe('false');
    expect(theirs.headers.has('x-userkeys-error')).toBe(false);
    expect(await theirs.json()).toEqual({ error: 'no' });

    const ours = await through('/exa/search', { method: 'POST', json: {} });
    expect(ours.status).toBe(403);
    expect(ours.headers.get('x-userkeys-error')).toBe('key_missing');
  });

  test('sets no cookie, and keeps the provider’s request id next to ours', async () => {
    world.providers.answerNextWith(
      json({}, 200, { 'set-cookie': 'a=b', 'x-request-id': 'req_1', server: 's' }),
    );
    const response = await through('/openai/v1/models');
    expect(response.headers.has('set-cookie')).toBe(false);
    expect(response.headers.has('server')).toBe(false);
    expect(response.headers.get('x-request-id')).toBe('req_1');
    expect(response.headers.get('x-userkeys-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('does not contain the key, whole or masked, in an error', async () => {
    world.providers.answerNextWith(errorQuotingKey(400));
    const whole = await (await through('/openai/v1/models')).text();
    expect(whole).not.toContain(openaiKey);
    expect(whole).toContain('[key]');
    const masked = `${openaiKey.slice(0, 8)}********${openaiKey.slice(-4)}`;
    world.providers.answerNextWith(
      json({ error: `Incorrect API key provided: ${masked}.` }, 401, { 'openai-x': openaiKey }),
    );
    const response = await through('/openai/v1/models');
    expect(response.headers.get('openai-x')).toBe('[key]');
    expect(await response.text()).not.toMatch(new RegExp(openaiKey.slice(-4)));
  });

  test('returns redirects instead of following them', async () => {
    world.providers.answerNextWith(redirectTo(world.providers.origin('exa')));
    const response = await through('/openai/v1/models');
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ code: 'provider_redirected', upstreamStatus: 307 });
    expect(world.calls).toHaveLength(1);
  });

  test.each([204, 304])('has no body for status %i', async (status) => {
    world.providers.answerNextWith((_call, response) => void response.writeHead(status).end());
    const response = await through('/openai/v1/models');
    expect(response.status).toBe(status);
    expect(response.body).toBeNull();
  });

  test('streams: the first chunk arrives before the last one is sent', async () => {
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.providers.answerNextWith(
      events(['data: 1', 'data: 2'], { before: (index) => (index === 1 ? gate : undefined) }),
    );
    const response = await through('/openai/v1/chat/completions', { method: 'POST', json: { stream: true } });
    const reader = response.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 1\n\n');
    release();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 2\n\n');
  });
});

describe('disconnecting', () => {
  test('a caller who cancels the response ends the provider’s call', async () => {
    const never = new Promise<void>(() => {});
    world.providers.answerNextWith(
      events(['data: 1', 'data: 2'], { before: (index) => (index === 1 ? never : undefined) }),
    );
    const response = await through('/openai/v1/chat/completions', { method: 'POST', json: {} });
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await world.calls[0]?.left;
    expect(world.calls[0]?.hasLeft()).toBe(true);
  });

  test('a caller who aborts before the response ends the provider’s call', async () => {
    const leaving = new AbortController();
    const arrived = new Promise<void>((resolve) => {
      world.providers.answerNextWith(() => resolve());
    });
    const response = through('/openai/v1/models', { signal: leaving.signal });
    await arrived;
    leaving.abort();
    await world.calls[0]?.left;
    await response;
  });
});

describe('a failing provider', () => {
  test('that cannot be reached is 502', async () => {
    world.providers.answerNextWith(reset);
    const response = await through('/openai/v1/models');
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ code: 'provider_unreachable' });
  });

  test('that sends no response headers is 504', async () => {
    world.providers.answerNextWith(hang);
    const response = await through('/openai/v1/models');
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ code: 'provider_timeout' });
  });

  test.each([600, 700, 999])('with the invalid status %i is 502', async (status) => {
    world.providers.answerNextWith((_call, response) => void response.writeHead(status).end('x'));
    const response = await through('/openai/v1/models');
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ code: 'provider_error', upstreamStatus: status });
  });

  test('in the middle of a stream makes the stream fail instead of ending normally', async () => {
    world.providers.answerNextWith(resetMidway);
    const response = await through('/openai/v1/models');
    await expect(response.text()).rejects.toThrow();
  });
});

test('makes one KV request before the provider is called', async () => {
  const before = requestsBeforeResponses(world);
  let atProvider = 0;
  world.providers.answerNextWith((recorded, response) => {
    atProvider = requestsBeforeResponses(world);
    return json({})(recorded, response);
  });
  await through('/openai/v1/models');
  expect(atProvider - before).toBe(1);
});

describe('the official OpenAI SDK, with the session token as its key', () => {
  test('gets a JSON answer and a streamed one', async () => {
    const client = new OpenAI({
      apiKey: token,
      baseURL: 'http://127.0.0.1:3000/api/proxy/openai/v1',
      fetch: async (input, init) => {
        const request = new Request(input, init);
        return (await proxy.POST?.(request)) ?? Response.error();
      },
    });
    const whole = await client.chat.completions.create({
      model: 'm',
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect(whole.choices[0]?.message.content).toBe('Hello from openai');
    const stream = await client.chat.completions.create({
      model: 'm',
      messages: [{ role: 'user', content: 'hi' }],
      stream: true,
    });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe('Hello from openai');
    expect(world.calls.every(({ credential }) => credential === openaiKey)).toBe(true);
  });
});
