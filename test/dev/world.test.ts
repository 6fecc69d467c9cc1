import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { errorQuotingKey, events, hang, redirectTo, reset } from '../support/answers.ts';
import { call } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

/** How long something that is about to happen may take on a busy machine. */
const SOON = { timeout: 15_000 };

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterEach(() => world.providers.reset());
afterAll(() => world.close());

async function ask(target: string, init: RequestInit = {}): Promise<Response> {
  return fetch(world.providers.origin('openai') + target, {
    headers: { authorization: 'Bearer sk-1', 'content-type': 'application/json' },
    redirect: 'manual',
    ...init,
  });
}
const chat = (stream: boolean) => ({ method: 'POST', body: JSON.stringify({ model: 'm', stream }) });

test('puts the configuration into the environment, and every provider is an emulated one', () => {
  expect(process.env.KV_REST_API_URL).toBe(world.kv.url);
  for (const name of ['OPENAI', 'GEMINI', 'EXA', 'COPILOTKIT', 'HUGGINGFACE']) {
    expect(process.env[`${name}_BASE_URL`]).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  }
});

test('counts KV requests, a pipeline as one', async () => {
  const before = world.kv.requests.length;
  const answer = await fetch(`${world.kv.url}/pipeline`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.kv.token}` },
    body: JSON.stringify([
      ['SET', 'a', '1'],
      ['GET', 'a'],
    ]),
  });
  expect(await answer.json()).toEqual([{ result: 'OK' }, { result: '1' }]);
  expect(world.kv.requests.slice(before)).toEqual([
    [
      ['SET', 'a', '1'],
      ['GET', 'a'],
    ],
  ]);
});

test('records what a provider was sent: path, headers, body and the credential', async () => {
  await ask('/v1/chat/completions?x=%2e', chat(false));
  expect(world.calls).toHaveLength(1);
  expect(world.calls[0]).toMatchObject({
    provider: 'openai',
    method: 'POST',
    target: '/v1/chat/completions?x=%2e',
    credential: 'sk-1',
  });
  expect(world.calls[0]?.json()).toEqual({ model: 'm', stream: false });
});

test('an emulated provider satisfies the official SDK, whole and streamed', async () => {
  const client = new OpenAI({ apiKey: newProviderKey(), baseURL: `${world.providers.origin('openai')}/v1` });
  const request = { model: 'm', messages: [{ role: 'user' as const, content: 'hi' }] };
  const whole = await client.chat.completions.create(request);
  expect(whole.choices[0]?.message.content).toBe('Hello from openai');
  const pieces: string[] = [];
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
    pieces.push(chunk.choices[0]?.delta.content ?? '');
  }
  expect(pieces.join('')).toBe('Hello from openai');
  expect((await client.responses.create({ model: 'm', input: 'hi' })).output_text).toBe('Hello from openai');
});

test('a key check tells a good key from a refused one, in each provider’s way', async () => {
  const check = (key: string) => ask('/v1/models', { headers: { authorization: `Bearer ${key}` } });
  expect((await check('sk-good')).status).toBe(200);
  expect((await check('refused-1')).status).toBe(401);
  const gemini = await fetch(`${world.providers.origin('gemini')}/v1beta/models?pageSize=1`, {
    headers: { 'x-goog-api-key': 'refused-1' },
  });
  expect(gemini.status).toBe(400);
  expect(await gemini.text()).toContain('API_KEY_INVALID');
});

test('a test decides when each event of a stream leaves', async () => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  world.providers.answerNextWith(
    events(['data: 1', 'data: 2'], { before: (index) => (index === 1 ? gate : undefined) }),
  );
  const reader = (await ask('/v1/x', chat(true))).body?.getReader();
  expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 1\n\n');
  open();
  expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 2\n\n');
});

test('a test sees that the caller has left', async () => {
  world.providers.answerNextWith(hang);
  const controller = new AbortController();
  const asking = ask('/v1/x', { signal: controller.signal }).catch(() => 'left');
  await expect.poll(() => world.calls.length, SOON).toBe(1);
  controller.abort();
  await world.calls[0]?.left;
  expect(world.calls[0]?.hasLeft()).toBe(true);
  expect(await asking).toBe('left');
});

test('providers can redirect, cut the connection and quote the key', async () => {
  world.providers.answerNextWith(redirectTo('https://example.com/'));
  expect((await ask('/v1/x')).status).toBe(307);
  world.providers.answerNextWith(reset);
  await expect(ask('/v1/x')).rejects.toThrow();
  world.providers.answerWith(errorQuotingKey(), 'openai');
  expect(await (await ask('/v1/x')).text()).toContain('sk-1');
});

test('tokens verify against the published keys, also after a rotation, and forgeries are at hand', async () => {
  const verify = async (token: string) =>
    jwtVerify(token, createLocalJWKSet(JSON.parse(await (await fetch(world.issuer.jwksUrl)).text())), {
      issuer: world.issuer.url,
    });
  const former = await world.tokenFor('alice');
  await world.issuer.rotate({ alg: 'RS256' });
  const token = await world.tokenFor('alice', { azp: 'http://127.0.0.1:3000' });
  expect(decodeProtectedHeader(token).alg).toBe('RS256');
  expect((await verify(token)).payload.sub).toBe('alice');
  expect((await verify(former)).payload.sub).toBe('alice');
  await expect(verify(world.issuer.unsigned('alice'))).rejects.toThrow();
  await expect(verify(await world.issuer.signedWithPublicKey('alice'))).rejects.toThrow();
  expect(world.issuer.jwksRequests()).toBe(4);
});

test('call() gives a function a real Request, and answers 405 for a method it does not export', async () => {
  const module = { PUT: async (request: Request) => Response.json(await request.json()), maxDuration: 60 };
  const answer = await call(module, '/api/keys/openai', { method: 'PUT', json: { key: 'k' }, token: 't' });
  expect(await answer.json()).toEqual({ key: 'k' });
  expect((await call(module, '/api/keys/openai')).status).toBe(405);
});

test('close() puts the environment back', async () => {
  const before = { ...process.env };
  const other = await startWorld();
  expect(process.env.AUTH_ISSUER).toBe(other.issuer.url);
  await other.close();
  expect({ ...process.env }).toEqual(before);
});
