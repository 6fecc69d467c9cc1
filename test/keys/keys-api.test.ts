import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { errorQuotingKey, json, redirectTo, reset } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let keys: HandlerModule;
let key: HandlerModule;
let token: string;
let user: string;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
  keys = await import('../../api/userkeys.ts');
  key = await import('../../api/userkeys.ts');
});
afterAll(() => world.close());

async function newUser(): Promise<void> {
  count += 1;
  user = `user_${count}`;
  token = await world.tokenFor(user);
}

afterEach(() => world.providers.reset());

const save = (provider: string, value: unknown) =>
  call(key, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: value } });
const list = async () => (await (await call(keys, '/api/keys', { token })).json()).keys;

describe('saving a key', () => {
  test('stores a key that the provider accepts and answers 201 with its metadata, never the key', async () => {
    await newUser();
    const value = newProviderKey();
    const response = await save('openai', value);
    expect(response.status).toBe(201);
    const text = await response.text();
    expect(text).not.toContain(value);
    expect(JSON.parse(text)).toMatchObject({
      provider: 'openai',
      hint: value.slice(-4),
      status: 'valid',
      version: 1,
      lastUsedAt: null,
    });
    expect(world.calls.at(-1)).toMatchObject({ provider: 'openai', target: '/v1/models', credential: value });
    expect(JSON.stringify(world.kv.requests)).not.toContain(value);
  });

  test('replaces an existing key with 200, increments its version and keeps createdAt', async () => {
    await newUser();
    const first = await (await save('exa', newProviderKey())).json();
    const response = await save('exa', newProviderKey());
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ version: 2, createdAt: first.createdAt });
  });

  test('answers 422 for a key that the provider rejects, and keeps the existing one', async () => {
    await newUser();
    const good = newProviderKey();
    await save('openai', good);
    const response = await save('openai', newProviderKey('refused-'));
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: 'key_rejected', provider: 'openai' });
    expect(await list()).toMatchObject([{ provider: 'openai', hint: good.slice(-4), version: 1 }]);
  });

  test.each([
    ['drops the connection', reset],
    ['fails', json({}, 500)],
    ['limits the rate', json({}, 429)],
    ['redirects', redirectTo('http://127.0.0.1:9/')],
  ])('stores the key as unverified when the provider %s', async (_what, answer) => {
    await newUser();
    world.providers.answerNextWith(answer);
    const response = await save('openai', newProviderKey());
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ status: 'unverified' });
  });

  test('distinguishes a restricted OpenAI key from an invalid one', async () => {
    await newUser();
    world.providers.answerNextWith(json({ error: { message: 'Missing scopes: api.model.read' } }, 401));
    expect(await (await save('openai', newProviderKey())).json()).toMatchObject({ status: 'valid' });
  });

  test('uses the flag in Cohere’s answer, not its status', async () => {
    await newUser();
    world.providers.answerNextWith(json({ valid: false }));
    expect((await save('cohere', newProviderKey())).status).toBe(422);
  });

  test('trims white space around a pasted key and refuses characters that a header cannot hold', async () => {
    await newUser();
    const value = newProviderKey();
    expect((await save('openai', `  ${value}\n`)).status).toBe(201);
    expect(world.calls.at(-1)?.credential).toBe(value);
    for (const bad of [
      `${value}\n${value}`,
      `${value}\rX: y`,
      `${value}\u2028x`,
      'schlüssel',
      '',
      '   ',
      7,
      null,
    ]) {
      const response = await save('openai', bad);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'invalid_request', errors: [{ pointer: '/key' }] });
    }
  });

  test.each([
    ['malformed JSON', '{"key": ', 400, 'invalid_json'],
    ['a list', '[]', 400, 'invalid_request'],
    ['an empty body', '', 400, 'invalid_json'],
    ['an unknown field', '{"key":"k","provider":"exa"}', 400, 'invalid_request'],
    ['a key of a megabyte', JSON.stringify({ key: 'k'.repeat(1024 * 1024) }), 413, 'body_too_large'],
    ['a key of ten thousand characters', JSON.stringify({ key: 'k'.repeat(10_000) }), 400, 'invalid_request'],
  ])('answers %s with the matching problem', async (_what, body, status, code) => {
    await newUser();
    const response = await call(key, '/api/keys/openai', { method: 'PUT', token, body });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ code, status });
  });

  test('acknowledges and counts every one of many concurrent saves of the same key', async () => {
    await newUser();
    const responses = await Promise.all(Array.from({ length: 40 }, () => save('groq', newProviderKey())));
    expect(responses.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(39);
    expect(await list()).toMatchObject([{ provider: 'groq', version: 40 }]);
  });

  test('loses no key when different providers are saved concurrently', async () => {
    await newUser();
    const providers = ['openai', 'exa', 'groq', 'mistral', 'xai', 'tavily', 'serper', 'cohere'];
    await Promise.all(providers.map((provider) => save(provider, newProviderKey())));
    expect((await list()).map((entry: { provider: string }) => entry.provider).sort()).toEqual(
      providers.sort(),
    );
  });
});

describe('a stored key', () => {
  test.each(['__proto__', 'constructor', 'OPENAI', 'nobody', 'openai%00'])(
    'a key of the unknown provider %s is a 404 problem',
    async (provider) => {
      await newUser();
      const response = await save(provider, newProviderKey());
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'unknown_provider' });
    },
  );

  test('is never returned, only its metadata, unless it is made for the browser', async () => {
    await newUser();
    const [secret, publishable] = [newProviderKey(), newProviderKey('ck_pub_')];
    await save('openai', secret);
    await save('copilotkit', publishable);
    const described = await (await call(key, '/api/keys/openai', { token })).json();
    expect(described).toMatchObject({ provider: 'openai', hint: secret.slice(-4) });
    expect(described).not.toHaveProperty('key');
    expect(await (await call(key, '/api/keys/copilotkit', { token })).json()).toMatchObject({
      key: publishable,
    });
  });

  test('if missing is key_missing, with the provider and the page where to add a key', async () => {
    await newUser();
    for (const method of ['GET', 'POST']) {
      const response = await call(key, '/api/keys/exa', { method, token });
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({
        code: 'key_missing',
        provider: 'exa',
        addKeyAt: '/api/keys/exa',
      });
    }
  });

  test('when checked again becomes invalid if the provider refuses it, and valid if it accepts it', async () => {
    await newUser();
    await save('openai', newProviderKey());
    const check = async () => (await call(key, '/api/keys/openai', { method: 'POST', token })).json();
    world.providers.answerNextWith(errorQuotingKey(401));
    expect(await check()).toMatchObject({ status: 'invalid', verdict: 'rejected' });
    expect(await list()).toMatchObject([{ status: 'invalid' }]);
    world.providers.answerNextWith(json({}, 500));
    expect(await check()).toMatchObject({ status: 'invalid', verdict: 'unknown' });
    expect(await check()).toMatchObject({ status: 'valid', verdict: 'valid' });
  });

  test('is deleted with 204, also if there was none', async () => {
    await newUser();
    await save('openai', newProviderKey());
    await save('exa', newProviderKey());
    for (const _again of [1, 2]) {
      expect((await call(key, '/api/keys/openai', { method: 'DELETE', token })).status).toBe(204);
    }
    expect(await list()).toMatchObject([{ provider: 'exa' }]);
    expect((await call(keys, '/api/keys', { method: 'DELETE', token })).status).toBe(204);
    expect(await list()).toEqual([]);
  });

  test('is not visible to another user', async () => {
    await newUser();
    await save('openai', newProviderKey());
    await newUser();
    expect(await list()).toEqual([]);
  });
});

test('an unsupported method is a 405 problem with Allow', async () => {
  const response = await call(keys, '/api/keys', { method: 'PATCH', token });
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe('GET, HEAD, DELETE, OPTIONS');
  expect(await response.json()).toMatchObject({ code: 'method_not_allowed' });
});

test('every response has no-store and a request id, and problems use that id as their instance', async () => {
  await newUser();
  const good = await call(keys, '/api/keys', { token });
  expect(good.headers.get('cache-control')).toBe('no-store');
  expect(good.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  const bad = await call(keys, '/api/keys');
  expect(bad.headers.get('www-authenticate')).toBe('Bearer');
  expect(bad.headers.get('x-userkeys-error')).toBe('token_missing');
  expect((await bad.json()).instance).toBe(bad.headers.get('x-request-id'));
});
