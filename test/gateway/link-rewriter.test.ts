import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MAX_JSON_ANSWER_BYTES } from '../../lib/limits.ts';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { json } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let proxy: HandlerModule;
let token: string;

beforeAll(async () => {
  world = await startWorld();
  proxy = await import('../../api/proxy.ts');
  const keys: HandlerModule = await import('../../api/userkeys.ts');
  token = await world.tokenFor('alice');
  for (const provider of ['gemini', 'firecrawl', 'openai']) {
    await call(keys, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: newProviderKey() } });
  }
  world.providers.reset();
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

const GATEWAY = 'https://keys.example';
const through = (provider: ProviderId, headers: Readonly<Record<string, string>> = {}, origin = GATEWAY) =>
  call(proxy, `/api/proxy/${provider}/v1/x`, { token, headers, origin });

describe('an upload URL in a header', () => {
  const path = '/upload/v1beta/files?upload_id=a%20b&upload_protocol=resumable';
  async function rewritten(url: string, headers = {}, origin = GATEWAY): Promise<string | null> {
    world.providers.answerNextWith(json({}, 200, { 'x-goog-upload-url': url }));
    return (await through('gemini', headers, origin)).headers.get('x-goog-upload-url');
  }

  test('is rewritten to the origin that the caller used', async () => {
    expect(await rewritten(world.providers.origin('gemini') + path)).toBe(
      `${GATEWAY}/api/proxy/gemini${path}`,
    );
  });

  test('is not affected by a forged X-Forwarded-Host', async () => {
    const forged = { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' };
    expect(await rewritten(world.providers.origin('gemini') + path, forged)).toBe(
      `${GATEWAY}/api/proxy/gemini${path}`,
    );
  });

  test('is https behind a proxy that terminates TLS, and is never downgraded', async () => {
    const url = world.providers.origin('gemini') + path;
    const https = { 'x-forwarded-proto': 'https' };
    expect(await rewritten(url, https, 'http://keys.example')).toMatch(/^https:\/\/keys\.example\//);
    expect(await rewritten(url, { 'x-forwarded-proto': 'http' })).toMatch(/^https:\/\/keys\.example\//);
  });

  test.each([
    ['https,http', 'https'],
    ['https, http', 'https'],
    ['HTTPS', 'https'],
    ['http,https', 'http'],
    ['', 'http'],
  ])('of several proxies, the first counts: %j', async (proto, expected) => {
    const url = world.providers.origin('gemini') + path;
    const link = await rewritten(url, { 'x-forwarded-proto': proto }, 'http://keys.example');
    expect(link).toBe(`${expected}://keys.example/api/proxy/gemini${path}`);
  });

  test.each([
    'https://elsewhere.example/upload',
    'not an address',
    'https://generativelanguage.googleapis.com',
  ])('is removed if it is %s', async (url) => {
    expect(await rewritten(url)).toBeNull();
  });
});

describe('a next-page URL in JSON', () => {
  const origin = () => world.providers.origin('firecrawl');
  async function textOf(text: string, chunkBytes = text.length, type = 'application/json'): Promise<string> {
    world.providers.answerNextWith(async (_call, response) => {
      response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        response.write(bytes.subarray(at, at + chunkBytes));
        if (chunkBytes < 20) await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    const response = await through('firecrawl');
    return response.text();
  }
  const rewritten = `${GATEWAY}/api/proxy/firecrawl`;

  test('is rewritten, and nothing else changes', async () => {
    const body = (base: string) =>
      `{ "success":true, "next" : "${base}/v2/crawl/1?skip=10", "n": 1e400, "data": [{"url":"${origin()}/a"}] }`;
    expect(await textOf(body(origin()))).toBe(body(rewritten));
  });

  test.each([1, 2, 3, 7])('is rewritten if it arrives in chunks of %i bytes', async (chunkBytes) => {
    const pad = 'ünïcödé 🔑🗝️ '.repeat(20);
    const body = (base: string) => `{"a":"${pad}","data":{"next":"${base}/v2/x?skip=1"},"b":"${pad}"}`;
    expect(await textOf(body(origin()), chunkBytes)).toBe(body(rewritten));
  });

  test('is rewritten if its slashes are escaped, and from http', async () => {
    const host = new URL(origin()).host;
    expect(await textOf(`{"next":"http:\\/\\/${host}\\/v2\\/x"}`)).toBe(`{"next":"${rewritten}/v2/x"}`);
    expect(await textOf(`{"next":"https://${host}/v2/x"}`)).toBe(`{"next":"${rewritten}/v2/x"}`);
  });

  test.each([
    (host: string) => `{"next":"http://${host}.evil.example/x"}`,
    (host: string) => `{"next":"http://evil.example/?${host}/x"}`,
    (host: string) => `{"next":"ftp://${host}/x"}`,
    (host: string) => `{"next":"see http://${host}/x"}`,
    () => `{"next":"/v2/x?skip=1"}`,
    () => `{"next": "c\\u00fcrsor ü"}`,
    () => `{"next":["x"],"next":7}`,
    (host: string) => `{"nextPage":"http://${host}/x"}`,
    (host: string) => `{"data":[{"markdown":"\\"next\\":\\"http://${host}/x\\""}]}`,
    () => `{"next":null}`,
    () => '',
  ])('is left unchanged in case %#', async (write) => {
    const text = write(new URL(origin()).host);
    expect(await textOf(text)).toBe(text);
  });

  test.each<[string, (origin: string, host: string) => string]>([
    ['a scheme in capitals', (_origin, host) => `{"next":"HTTP://${host}/v2/x?a=1#b"}`],
    ['no scheme', (_origin, host) => `{"next":"//${host}/v2/x?a=1#b"}`],
    ['backslashes', (_origin, host) => `{"next":"http:\\\\\\\\${host}\\\\v2/x?a=1#b"}`],
    ['an extra slash', (_origin, host) => `{"next":"http:///${host}/v2/x?a=1#b"}`],
    ['no slashes', (_origin, host) => `{"next":"http:${host}/v2/x?a=1#b"}`],
    ['white space before it', (origin) => `{"next":" \\n${origin}/v2/x?a=1#b"}`],
    ['a tab within', (_origin, host) => `{"next":"ht\\ttp://${host}/v2/x?a=1#b"}`],
    ['a user', (_origin, host) => `{"next":"http://user:pass@${host}/v2/x?a=1#b"}`],
    [
      'a host written as a number',
      (_, host) => `{"next":"http://${host.replace('127.0.0.1', '0x7f.1')}/v2/x?a=1#b"}`,
    ],
    ['an escaped colon', (_origin, host) => `{"next":"http\\u003A//${host}/v2/x?a=1#b"}`],
    ['an escaped name', (origin) => `{"n\\u0065xt":"${origin}/v2/x?a=1#b"}`],
    [
      'much white space',
      (origin) => `{"next"${' '.repeat(5000)}:\n\t${' '.repeat(5000)}"${origin}/v2/x?a=1#b"}`,
    ],
    ['dots in its path', (origin) => `{"next":"${origin}/v2/y/../x?a=1#b"}`],
  ])('is rewritten if it has %s', async (_what, write) => {
    const text = write(origin(), new URL(origin()).host);
    const [next] = Object.values(JSON.parse(await textOf(text, 997)));
    expect(next).toBe(`${rewritten}/v2/x?a=1#b`);
  });

  test.each<[string, (origin: string, host: string) => string]>([
    ['names another port of the provider', () => '"http://127.0.0.1:1/x"'],
    ['is too long', (origin) => `"${origin}/${'x'.repeat(70_000)}"`],
    ['contains characters that JSON does not allow', (origin) => `"${origin}/\t"`],
  ])('is replaced by an empty string if it %s', async (_what, write) => {
    const text = (value: string) => `{"a":1,"next":${value},"b":[2]}`;
    expect(await textOf(text(write(origin(), '')))).toBe(text('""'));
  });

  test.each([1, 3, 1000])(
    'leaves invalid UTF-8 unchanged byte for byte, in chunks of %i bytes',
    async (chunkBytes) => {
      const bytes = Buffer.concat([
        Buffer.from('\ufeff{"a":"'),
        Buffer.from([0xff, 0xfe, 0xc3, 0x80]),
        Buffer.from('","next":"é'),
        Buffer.from([0xe2, 0x82]),
        Buffer.from('"}'),
      ]);
      world.providers.answerNextWith((_call, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        for (let at = 0; at < bytes.length; at += chunkBytes)
          response.write(bytes.subarray(at, at + chunkBytes));
        response.end();
      });
      const answer = Buffer.from(await (await through('firecrawl')).arrayBuffer());
      expect(answer.toString('hex')).toBe(bytes.toString('hex'));
    },
  );

  test('is rewritten while the answer streams: its start arrives before its end is sent', async () => {
    let sendEnd = () => {};
    const mayEnd = new Promise<void>((resolve) => {
      sendEnd = resolve;
    });
    world.providers.answerNextWith(async (_call, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(`{"next":"${origin()}/v2/x","data":`);
      await mayEnd;
      response.end('1}');
    });
    const reader = (await through('firecrawl')).body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.endsWith('"data":')) text += (await reader?.read())?.value ?? '';
    expect(text).toBe(`{"next":"${rewritten}/v2/x","data":`);
    sendEnd();
    expect(await reader?.read()).toMatchObject({ value: '1}' });
  });

  test('is rewritten in an answer of any size', async () => {
    const body = (base: string) =>
      `{"data":"${'é'.repeat(MAX_JSON_ANSWER_BYTES / 2)}","next":"${base}/v2/x"}`;
    const text = await textOf(body(origin()), 1024 * 1024);
    expect(text === body(rewritten)).toBe(true);
  });

  test('is only rewritten in JSON', async () => {
    const text = `{"next":"${origin()}/v2/x"}`;
    expect(await textOf(text, text.length, 'text/plain')).toBe(text);
  });
});

test('answers of other providers are forwarded unchanged', async () => {
  const body = { next: `${world.providers.origin('openai')}/v1/x` };
  world.providers.answerNextWith(json(body, 200, { 'x-goog-upload-url': 'https://elsewhere.example/' }));
  const response = await through('openai');
  expect(response.headers.get('x-goog-upload-url')).toBe('https://elsewhere.example/');
  expect(await response.json()).toEqual(body);
});
