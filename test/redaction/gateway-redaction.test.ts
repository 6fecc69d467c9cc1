import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MAX_PROVIDER_ERROR_BYTES } from '../../lib/limits.ts';
import { type Answer, json } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let proxy: HandlerModule;
let token: string;
const key = newProviderKey('sk-proj-');

beforeAll(async () => {
  world = await startWorld();
  proxy = await import('../../api/proxy.ts');
  const keys: HandlerModule = await import('../../api/userkeys.ts');
  token = await world.tokenFor('alice');
  await call(keys, '/api/keys/openai', { method: 'PUT', token, json: { key } });
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

async function callWithAnswer(answer: Answer, method = 'POST'): Promise<Response> {
  world.providers.answerNextWith(answer);
  return call(proxy, '/api/proxy/openai/v1/x', { method, token });
}

async function headersAndBodyOf(response: Response): Promise<string> {
  return `${[...response.headers].flat().join('\n')}\n${await response.text()}`;
}

describe.each([400, 401, 403, 404, 422, 429, 500, 503])('an error of %i', (status) => {
  test.each([
    ['whole', key],
    ['masked', `${key.slice(0, 8)}****${key.slice(-4)}`],
  ])('removes the key from body and headers if it is echoed %s', async (_how, echo) => {
    const headers = { 'x-request-id': echo, 'openai-processing-ms': `1 ${echo}`, 'retry-after': echo };
    const response = await callWithAnswer(
      json({ error: { message: `key ${echo}.`, code: 'c' } }, status, headers),
    );
    expect(response.status).toBe(status);
    const everything = await headersAndBodyOf(response);
    expect(everything).not.toContain(key.slice(-4));
    expect(everything).toContain('"message":"key [key].","code":"c"');
  });
});

test('removes the key from the headers of a success response too', async () => {
  const response = await callWithAnswer(
    json({}, 200, { 'openai-organization': key, 'x-request-id': `r ${key}` }),
  );
  expect(response.status).toBe(200);
  expect(await headersAndBodyOf(response)).not.toContain(key);
});

test('replaces an error with an unrequested compression, because it cannot be read', async () => {
  const body = gzipSync(`{"error":"key ${key}"}`);
  const response = await callWithAnswer((_call, outgoing) => {
    outgoing.writeHead(401, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(body);
  });
  expect(response.status).toBe(401);
  expect(response.headers.has('content-encoding')).toBe(false);
  expect(await response.text()).toBe('');
});

test.each([
  ['application/json; charset=utf-16', Buffer.from(`{"error":"key ${key}"}`, 'utf16le')],
  ['application/json', Buffer.from(`{"error":"key ${key}"}`, 'utf16le')],
  ['text/plain; charset="utf-7"', Buffer.from(`key ${key}`)],
  ['text/html;Charset = ISO-8859-1', Buffer.from(`key ${key}`)],
])('replaces an error in a charset other than UTF-8: %s', async (type, body) => {
  const response = await callWithAnswer((_call, outgoing) => {
    outgoing.writeHead(401, { 'content-type': type }).end(body);
  });
  expect(response.status).toBe(401);
  expect(await response.text()).toBe('');
});

test.each(['application/json', 'text/plain; charset=UTF-8', 'text/plain; charset="utf8"'])(
  'forwards an error of type %s',
  async (type) => {
    const response = await callWithAnswer((_call, outgoing) => {
      outgoing.writeHead(400, { 'content-type': type }).end('wörds');
    });
    expect(await response.text()).toBe('wörds');
  },
);

describe('an error of more than 64 KiB', () => {
  const long = (beginning: string) => `${beginning}${'x '.repeat(MAX_PROVIDER_ERROR_BYTES)}`;
  const answerOf = (text: string) =>
    callWithAnswer((_call, outgoing) => {
      outgoing.writeHead(500, { 'content-type': 'application/json' }).end(text);
    });

  test('is cut, and is plain text then, with the provider’s message at its start', async () => {
    const response = await answerOf(long(`{"error":{"message":"Quota exceeded for ${key}."},"x":"`));
    expect(response.status).toBe(500);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    const text = await response.text();
    expect(text).toMatch(/^\{"error":\{"message":"Quota exceeded for \[key\]\."/);
    expect(text.length).toBeLessThanOrEqual(MAX_PROVIDER_ERROR_BYTES);
    expect(text.length).toBeGreaterThan(MAX_PROVIDER_ERROR_BYTES - 1_000);
  });

  test('holds no part of a key at the place where it is cut', async () => {
    const escaped = [...key].map((letter) => `%2525${letter.charCodeAt(0).toString(16)}`).join('');
    for (const written of [key, escaped, `${key.slice(0, 8)}********${key.slice(-4)}`]) {
      for (let kept = 1; kept < written.length; kept += Math.ceil(written.length / 12)) {
        const before = 'x '.repeat(MAX_PROVIDER_ERROR_BYTES).slice(0, MAX_PROVIDER_ERROR_BYTES - kept);
        const text = await (await answerOf(`${before}${written}`)).text();
        expect(text.replaceAll(/[x ]|\[key\]/g, '')).toBe('');
      }
    }
  });
});
