import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createByteRedactor } from '../../lib/redaction/redact-answer.ts';
import { Secret } from '../../lib/secret.ts';
import { type Answer, events } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let proxy: HandlerModule;
let userkeys: HandlerModule;
let token: string;
const key = newProviderKey('sk-proj-');
const gone = '[key]'.padEnd(key.length, '*');

beforeAll(async () => {
  world = await startWorld();
  proxy = await import('../../api/proxy.ts');
  userkeys = await import('../../api/userkeys.ts');
  token = await world.tokenFor('alice');
  for (const provider of ['openai', 'exa', 'firecrawl']) {
    await call(userkeys, `/api/keys/${provider}`, { method: 'PUT', token, json: { key } });
  }
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

const write =
  (body: string | Buffer, headers: Readonly<Record<string, string>>): Answer =>
  async (recorded, response) => {
    await recorded.received;
    response.writeHead(200, headers).end(body);
  };

async function answerTo(answer: Answer, provider = 'openai'): Promise<Response> {
  world.providers.answerNextWith(answer);
  return call(proxy, `/api/proxy/${provider}/v1/x`, { method: 'POST', token });
}

describe('a success answer has the key taken out', () => {
  test.each([
    'application/json',
    'application/vnd.api+json; charset=utf-8',
    'application/x-ndjson',
    'text/event-stream',
    'text/html',
    'text/plain; charset=utf-8',
    'application/xml',
    'image/svg+xml',
    'multipart/mixed; boundary=x',
    'application/x-www-form-urlencoded',
    'application/javascript',
    '',
  ])('if its type is %j', async (type) => {
    const headers: Record<string, string> = type === '' ? {} : { 'content-type': type };
    const response = await answerTo(write(`{"xi_api_key":"${key}","again":"${key}"}`, headers));
    expect(await response.text()).toBe(`{"xi_api_key":"${gone}","again":"${gone}"}`);
  });

  test('and keeps its length', async () => {
    const text = `{"key":"${key}"}`;
    const response = await answerTo(
      write(text, { 'content-type': 'application/json', 'content-length': String(text.length) }),
    );
    expect(response.headers.get('content-length')).toBe(String(text.length));
    expect((await response.text()).length).toBe(text.length);
  });

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ])('if it is compressed by %s, which was not requested', async (encoding, compress) => {
    const body = compress(`{"key":"${key}"}`);
    const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
    const response = await answerTo(write(body, { ...headers, 'content-length': String(body.length) }));
    expect(response.headers.has('content-encoding')).toBe(false);
    expect(response.headers.has('content-length')).toBe(false);
    expect(await response.text()).toBe(`{"key":"${gone}"}`);
  });

  test('or is refused if its compression cannot be undone', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'br' };
    const response = await answerTo(write('x', headers));
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ code: 'provider_error' });
  });

  test('if the key is readable only in a link that was rewritten', async () => {
    const address = `${world.providers.origin('firecrawl')}/v2/${key}`;
    const escaped = [...address]
      .map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('');
    const response = await answerTo(
      write(`{"next":"${escaped}"}`, { 'content-type': 'application/json' }),
      'firecrawl',
    );
    expect(await response.text()).not.toContain(key);
  });

  test('on the other routes that call a provider', async () => {
    world.providers.answerNextWith(write(`{"key":"${key}"}`, { 'content-type': 'application/json' }));
    const search = await call(userkeys, '/api/search', { method: 'POST', token, json: { query: 'x' } });
    expect(await search.text()).toBe(`{"key":"${gone}"}`);

    const generate: HandlerModule = await import('../../api/generate.ts');
    const reply = `data: {"choices":[{"index":0,"delta":{"content":"${key}"}}]}\n\n`;
    const chat = { type: 'response.output_text.delta', item_id: 'a', output_index: 0, content_index: 0 };
    const text = `${reply}event: ${chat.type}\ndata: ${JSON.stringify({ ...chat, delta: key })}\n\n`;
    world.providers.answerNextWith(write(text, { 'content-type': 'text/event-stream' }));
    const json = { provider: 'openai', prompt: 'x', stream: true };
    const generated = await call(generate, '/api/generate', { method: 'POST', token, json });
    expect(await generated.text().catch(() => '')).not.toContain(key);
  });
});

test.each(['image/png', 'audio/mpeg', 'application/octet-stream'])(
  'a binary answer (%s) passes untouched',
  async (type) => {
    const body = Buffer.concat([Buffer.from([0xff, 0x00, 0xc3]), Buffer.from(key)]);
    const response = await answerTo(write(body, { 'content-type': type }));
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  },
);

test('an event is delivered at once, not with the next one', async () => {
  const never = new Promise<void>(() => {});
  const answer = events([`data: {"a":"${key}"}`, 'data: 2'], {
    before: (index) => (index === 1 ? never : undefined),
  });
  const response = await answerTo(answer);
  const reader = response.body?.getReader();
  const first = await reader?.read();
  expect(new TextDecoder().decode(first?.value)).toBe(`data: {"a":"${gone}"}\n\n`);
  await reader?.cancel();
});

describe('bytes in pieces', () => {
  const bytesOf = (text: string) => new TextEncoder().encode(text);
  const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();

  function redactPieces(value: string, pieces: readonly Uint8Array[]): Buffer {
    const redactor = createByteRedactor(new Secret(value));
    return Buffer.concat([...pieces.map((piece) => redactor.push(piece)), redactor.end()]);
  }

  test('lose the key, and nothing else, wherever they are cut', () => {
    const alphabet = fc.constantFrom('a', 'b', 'é', '🔑', '"');
    const value = fc.array(alphabet, { minLength: 1, maxLength: 6 }).map((letters) => letters.join(''));
    const text = fc.array(fc.oneof(alphabet, fc.constant('KEY')), { maxLength: 12 });
    fc.assert(
      fc.property(value, text, fc.array(fc.nat(60)), (secret, parts, cuts) => {
        const bytes = bytesOf(parts.join('').replaceAll('KEY', secret));
        const ends = [...new Set(cuts.filter((cut) => cut < bytes.length))].sort((a, b) => a - b);
        const pieces = [0, ...ends].map((start, index) => bytes.slice(start, ends[index] ?? bytes.length));
        const whole = redactPieces(secret, [bytes]);
        const result = redactPieces(secret, pieces);
        expect(result.includes(secret)).toBe(false);
        expect(result.length).toBe(bytes.length);
        if (!JSON.stringify(secret).includes('\\')) expect(result.equals(whole)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('pass on unchanged, as the same object, if they hold no part of the key', () => {
    const chunk = bytesOf('data: {"text":"no key here"}\n\n');
    const redactor = createByteRedactor(new Secret(key));
    const passed = redactor.push(chunk);
    expect(passed.buffer).toBe(chunk.buffer);
    expect(passed.length).toBe(chunk.length);
  });

  test('are held back only while they may be the beginning of the key', () => {
    const redactor = createByteRedactor(new Secret('sk-123'));
    expect(textOf(redactor.push(bytesOf('a sk-1')))).toBe('a ');
    expect(textOf(redactor.push(bytesOf('2')))).toBe('');
    expect(textOf(redactor.push(bytesOf('x s')))).toBe('sk-12x ');
    expect(textOf(redactor.end())).toBe('s');
  });

  test.each([
    ['as JSON writes it', 'a"b\\c/d-0123456789', 'a\\"b\\\\c/d-0123456789'],
    ['as PHP’s JSON writes it', 'a/b-0123456789', 'a\\/b-0123456789'],
    ['as a URL writes it', 'a/b+c=0123456789', 'a%2Fb%2Bc%3D0123456789'],
  ])('lose the key %s', (_how, value, written) => {
    const text = textOf(redactPieces(value, [bytesOf(`x ${written} y`)]));
    expect(text).toBe(`x ${'[key]'.padEnd(written.length, '*')} y`);
  });

  test('do not change the chunk that was given', () => {
    const chunk = bytesOf(`x ${key} y`);
    redactPieces(key, [chunk]);
    expect(textOf(chunk)).toContain(key);
  });
});
