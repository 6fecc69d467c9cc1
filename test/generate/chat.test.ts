import { DefaultChatTransport, readUIMessageStream, type UIMessage, type UIMessageChunk } from 'ai';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { generatingProviders } from '../../lib/providers/catalogue.ts';
import { errorQuotingKey, events, json, resetMidway } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let generate: HandlerModule;
let token: string;
const keys = new Map(generatingProviders.map((provider) => [provider, newProviderKey()]));

beforeAll(async () => {
  world = await startWorld();
  generate = await import('../../api/generate.ts');
  const key: HandlerModule = await import('../../api/userkeys.ts');
  token = await world.tokenFor('alice');
  for (const [provider, value] of keys) {
    await call(key, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: value } });
  }
  world.providers.reset();
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

const user = (text: string): UIMessage => ({ id: 'm1', role: 'user', parts: [{ type: 'text', text }] });
const ask = (body: unknown, signal?: AbortSignal) =>
  call(generate, '/api/generate', { method: 'POST', token, json: body, ...(signal ? { signal } : {}) });
const chat = (body: object = {}) => ask({ messages: [user('Hello')], ...body });

/** Like `useChat`: its own transport writes the request and reads the response. */
async function sendChat(messages: UIMessage[], body: object = {}): Promise<UIMessage | undefined> {
  const transport = new DefaultChatTransport({
    api: 'http://127.0.0.1:3000/api/generate',
    headers: { authorization: `Bearer ${token}` },
    body,
    fetch: async (input, init) => (await generate.POST?.(new Request(input, init))) ?? Response.error(),
  });
  const stream = await transport.sendMessages({
    chatId: 'c1',
    messages,
    trigger: 'submit-message',
    messageId: undefined,
    abortSignal: undefined,
  });
  let last: UIMessage | undefined;
  for await (const message of readUIMessageStream({ stream, terminateOnError: true })) last = message;
  return last;
}

const textOf = (message: UIMessage | undefined) =>
  message?.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');

async function chunksOf(response: Response): Promise<readonly UIMessageChunk[]> {
  const text = await response.text();
  return [...text.matchAll(/^data: (\{.*)$/gm)].map(([, chunk = '']) => JSON.parse(chunk));
}

describe.each(generatingProviders)('a chat with %s', (provider) => {
  test('is answered as a UI message, paid with the caller’s key', async () => {
    const answer = await sendChat([user('Hello')], { provider });
    expect(answer?.role).toBe('assistant');
    expect(textOf(answer)).toBe(`Hello from ${provider}`);
    expect(world.calls.map(({ credential }) => credential)).toEqual([keys.get(provider)]);
  });

  test('includes the earlier messages', async () => {
    const first = await sendChat([user('Hello')], { provider });
    if (first === undefined) throw new Error('no answer');
    const more = [user('Hello'), first, { ...user('And then?'), id: 'm3' }];
    expect(textOf(await sendChat(more, { provider }))).toBe(`Hello from ${provider}`);
    const sent = String(world.calls[1]?.body());
    expect(sent).toContain('And then?');
    expect(sent).toContain('Hello');
  });
});

test('the answer is the AI SDK’s stream, with provider and model', async () => {
  const response = await chat({ provider: 'openai' });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  expect(response.headers.get('x-vercel-ai-ui-message-stream')).toBe('v1');
  expect(response.headers.get('x-userkeys-provider')).toBe('openai');
  expect(response.headers.get('cache-control')).toBe('no-store');
  const text = await response.text();
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
});

test('an image in the chat is sent to the provider, and no URL is fetched', async () => {
  const url = `data:image/png;base64,${Buffer.from('pixels').toString('base64')}`;
  const file = { type: 'file', mediaType: 'image/png', url };
  const withImage = { id: 'm1', role: 'user', parts: [{ type: 'text', text: 'What is it?' }, file] };
  expect((await ask({ provider: 'openai', messages: [withImage] })).status).toBe(200);
  expect(String(world.calls[0]?.body())).toContain(url);

  const remote = { ...file, url: 'http://127.0.0.1:1/secret.png' };
  const refused = await ask({ messages: [{ id: 'm1', role: 'user', parts: [remote] }] });
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ errors: [{ pointer: '/messages/0/parts/0/url' }] });
});

describe('refuses an invalid chat without calling a provider', () => {
  test.each<[object, string]>([
    [{}, '/prompt'],
    [{ prompt: 'hi', messages: [user('hi')] }, '/prompt'],
    [{ messages: [] }, '/messages'],
    [{ messages: [{ role: 'tool', parts: [] }] }, '/messages/0/role'],
    [
      { messages: [{ role: 'user', parts: [{ type: 'tool-x', toolCallId: 't' }] }] },
      '/messages/0/parts/0/type',
    ],
    [{ messages: [{ role: 'user', content: 'hi' }] }, '/messages/0/parts'],
    [{ messages: [user('hi')], trigger: 'other' }, '/trigger'],
  ])('%j', async (body, pointer) => {
    const response = await ask(body);
    expect(response.status).toBe(400);
    const { code, errors } = await response.json();
    expect(code).toBe('invalid_request');
    expect(errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
    expect(world.calls).toEqual([]);
  });
});

describe('a failing provider', () => {
  test('before the first chunk is a problem with its own status', async () => {
    world.providers.answerNextWith(json({ error: { message: 'Slow down' } }, 429, { 'retry-after': '7' }));
    const response = await chat({ provider: 'openai' });
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('7');
    expect(await response.json()).toMatchObject({ code: 'provider_limited', providerMessage: 'Slow down' });
  });

  test('that quotes the key does not reveal it', async () => {
    world.providers.answerNextWith(errorQuotingKey(401));
    const text = await (await chat({ provider: 'openai' })).text();
    expect(text).toContain('[key]');
    expect(text).not.toContain(keys.get('openai'));
  });

  test('in the middle of a stream ends it with an error without the provider’s text', async () => {
    world.providers.answerNextWith(
      events([
        'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]},"index":0}]}',
        `data: {"error":{"code":500,"message":"key ${keys.get('gemini')} failed"}}`,
      ]),
    );
    const text = await (await chat({ provider: 'gemini' })).text();
    expect(text).not.toContain(keys.get('gemini'));
    world.providers.answerNextWith(resetMidway);
    const response = await chat({ provider: 'openai' });
    if (response.status !== 200) return;
    expect((await chunksOf(response)).at(-1)).toMatchObject({ type: 'error' });
  });
});

describe('streaming', () => {
  const pieces = ['Hel', 'lo'].map((text) =>
    JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0 }] }),
  );

  test('the first words arrive before the last ones are sent', async () => {
    let open: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    world.providers.answerNextWith(
      events(
        pieces.map((piece) => `data: ${piece}`),
        { before: (index) => (index === 1 ? gate : undefined) },
      ),
    );
    const reader = (await chat({ provider: 'gemini' })).body?.getReader();
    let read = '';
    while (!read.includes('"delta":"Hel"')) read += new TextDecoder().decode((await reader?.read())?.value);
    expect(read).not.toContain('"delta":"lo"');
    open();
    for (let next = await reader?.read(); !next?.done; next = await reader?.read()) {
      read += new TextDecoder().decode(next?.value);
    }
    expect(read).toContain('"delta":"lo"');
  });

  test('a caller who disconnects ends the provider’s call', async () => {
    const never = new Promise<void>(() => {});
    world.providers.answerNextWith(
      events(
        pieces.map((piece) => `data: ${piece}`),
        { before: (index) => (index === 1 ? never : undefined) },
      ),
    );
    const reader = (await chat({ provider: 'gemini' })).body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await world.calls[0]?.left;
  });
});
