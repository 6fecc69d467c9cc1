import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type FunctionsEvent, startFunctions } from '../../dev/host/start-functions.ts';
import { createWebServer } from '../../dev/http/create-web-server.ts';
import { closeServer, listen } from '../../dev/http/listen.ts';
import { temporaryDirectory, writeFiles } from '../support/temporary-directory.ts';

/** How long something that is about to happen may take on a busy machine. */
const SOON = { timeout: 15_000 };

const PACKAGE = { 'package.json': '{"type":"module"}' };

async function run(files: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const root = await temporaryDirectory();
  await writeFiles(root, { ...PACKAGE, ...files });
  const events: FunctionsEvent[] = [];
  const functions = await startFunctions({ root, env, onEvent: (event) => events.push(event) });
  onTestFinished(() => functions.close());
  return { root, functions, url: functions.url, events };
}

/** A request whose path no URL parser has touched. */
async function raw(
  url: string,
  path: string,
  options: RequestOptions = {},
  body = '',
): Promise<IncomingMessage> {
  const { hostname, port } = new URL(url);
  const sent = httpRequest({ hostname, port, path, agent: false, ...options }).end(body);
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (!response) throw new Error('no response');
  return response;
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return text;
}

const SAY = (what: string) => `export const GET = () => new Response(${JSON.stringify(what)});`;
const ECHO_URL = 'export const GET = (request: Request) => new Response(request.url);';

test('one file is one function: index, nested and [param] files answer their paths, exact names first', async () => {
  const { url } = await run({
    'api/health.ts': SAY('health'),
    'api/keys/index.ts': SAY('keys'),
    'api/keys/[provider].ts': ECHO_URL,
    'api/keys/special.ts': SAY('special'),
    'api/_shared.ts': SAY('shared'),
  });
  const get = async (path: string) => (await fetch(url + path)).text();
  expect(await get('/api/health')).toBe('health');
  expect(await get('/api/keys')).toBe('keys');
  expect(await get('/api/keys/')).toBe('keys');
  expect(await get('/api/keys/special')).toBe('special');
  expect(await get('/api/keys/openai')).toBe(`${url}/api/keys/openai`);
  for (const path of ['/api/keys/openai/more', '/api/_shared', '/api', '/api/nothing']) {
    expect((await fetch(url + path)).status).toBe(404);
  }
});

test('a rewrite of vercel.json leads to its function, which sees the address the caller used', async () => {
  const { url } = await run({
    'vercel.json':
      '{"rewrites":[{"source":"/api/proxy/:path*","destination":"/api/proxy"},{"source":"/v/(.*)","destination":"/api/v"}]}',
    'api/proxy.ts': ECHO_URL,
    'api/v.ts': ECHO_URL,
  });
  for (const path of ['/api/proxy/openai/v1/models?limit=1', '/api/proxy', '/v/a/b']) {
    expect(await (await fetch(url + path)).text()).toBe(url + path);
  }
});

test('the first rewrite that leads to a function or file answers; files and exact names come before rewrites', async () => {
  const rewrites = [
    { source: '/api/proxy/(.*)', destination: '/api/proxy' },
    { source: '/api/old/(.*)', destination: '/api/$1?from=old' },
    { source: '/api/(.*)', destination: '/api/userkeys' },
    { source: '/app/(.*)', destination: '/index.html' },
  ];
  const { url } = await run({
    'vercel.json': JSON.stringify({ rewrites }),
    'api/proxy.ts': `export const GET = (request: Request) => new Response('proxy ' + request.url);`,
    'api/userkeys.ts': `export const GET = (request: Request) => new Response('userkeys ' + request.url);`,
    'api/health.ts': SAY('health'),
    'api/keys/[provider].ts': SAY('a parameter'),
    'other/[name].ts': SAY('not under api'),
    'web/dist/index.html': 'page',
    'web/dist/api/file.txt': 'file',
  });
  const get = async (path: string) => (await fetch(url + path)).text();
  expect(await get('/api/proxy/openai/v1/models?limit=1')).toBe(
    `proxy ${url}/api/proxy/openai/v1/models?limit=1`,
  );
  expect(await get('/api/proxy')).toBe(`proxy ${url}/api/proxy`);
  expect(await get('/api/health')).toBe('health');
  expect(await get('/api/file.txt')).toBe('file');
  expect(await get('/api/old/health')).toBe('health');
  for (const path of ['/api/keys', '/api/keys/openai', '/api/old/nothing', '/api/']) {
    expect(await get(path)).toBe(`userkeys ${url}${path}`);
  }
  expect(await get('/app/some/route')).toBe('page');
  expect((await fetch(`${url}/elsewhere`)).status).toBe(404);
});

test('the headers of vercel.json are on every response to a matching path, unless the function has set them', async () => {
  const headers = [
    { source: '/', headers: [{ key: 'X-Frame-Options', value: 'DENY' }] },
    { source: '/(user-keys|client).js', headers: [{ key: 'Access-Control-Allow-Origin', value: '*' }] },
    { source: '/assets/(.*)', headers: [{ key: 'Cache-Control', value: 'public, immutable' }] },
    { source: '/api/(.*)', headers: [{ key: 'X-Seen', value: 'rule' }] },
    { source: '/api/own', headers: [{ key: 'X-Own', value: 'one' }] },
    { source: '/api/own', headers: [{ key: 'X-Own', value: 'two' }] },
  ];
  const { url } = await run({
    'vercel.json': JSON.stringify({ headers }),
    'api/plain.ts': SAY('plain'),
    'api/own.ts': `export const GET = () => new Response('own', { headers: { 'x-seen': 'function', 'cache-control': 'no-store' } });`,
    'web/dist/index.html': 'page',
    'web/dist/client.js': 'script',
    'web/dist/assets/a.css': 'style',
  });
  const headerOf = async (path: string, name: string) => (await fetch(url + path)).headers.get(name);
  expect(await headerOf('/', 'x-frame-options')).toBe('DENY');
  expect(await headerOf('/client.js', 'x-frame-options')).toBeNull();
  expect(await headerOf('/client.js', 'access-control-allow-origin')).toBe('*');
  expect(await headerOf('/other.js', 'access-control-allow-origin')).toBeNull();
  expect(await headerOf('/assets/a.css', 'cache-control')).toBe('public, immutable');
  expect(await headerOf('/', 'cache-control')).toBe('public, max-age=0, must-revalidate');
  expect(await headerOf('/api/plain', 'x-seen')).toBe('rule');
  expect(await headerOf('/api/nothing', 'x-seen')).toBe('rule');
  expect(await headerOf('/api/own', 'x-seen')).toBe('function');
  expect(await headerOf('/api/own', 'x-own')).toBe('two');
  expect(await headerOf('/api/own', 'cache-control')).toBe('no-store');
});

test('a rule of vercel.json that this host does not understand keeps the functions from starting', async () => {
  for (const rewrite of [
    { source: '/a', destination: '/api/a', has: [{ type: 'header', key: 'x' }] },
    { source: '/a(', destination: '/api/a' },
  ]) {
    const { events } = await run({
      'vercel.json': JSON.stringify({ rewrites: [rewrite] }),
      'api/a.ts': SAY('a'),
    });
    expect(events.some((event) => event.type === 'not-started')).toBe(true);
  }
});

test('the raw path arrives as it was sent: doubled slashes, encoded characters, a second host', async () => {
  const { url } = await run({
    'vercel.json': '{"rewrites":[{"source":"/(.*)","destination":"/api/all"}]}',
    'api/all.ts': ECHO_URL,
  });
  for (const path of ['//elsewhere.example/x', '/a//b', '/a%2Fb%3F?c=%20+', '/@elsewhere.example', '/a\\b']) {
    const seen = await bodyOf(await raw(url, path));
    expect(seen).toBe(url + path.replace('\\', '/'));
  }
});

test('a target that is no path, and a malformed Host, are refused', async () => {
  const { url } = await run({ 'api/health.ts': SAY('health') });
  expect((await raw(url, 'http://elsewhere.example/api/health')).statusCode).toBe(400);
  for (const host of ['a@b', 'a/api/keys?', 'a#', 'a b']) {
    expect((await raw(url, '/api/health', { headers: { host } })).statusCode).toBe(400);
  }
});

test('HEAD and OPTIONS reach the function; a method it does not export is 405', async () => {
  const { url } = await run({
    'api/a.ts': `
      export const HEAD = () => new Response('never sent', { headers: { 'content-length': '10', 'x-seen': 'HEAD' } });
      export const OPTIONS = () => new Response(null, { status: 204, headers: { 'x-seen': 'OPTIONS' } });`,
  });
  const head = await fetch(`${url}/api/a`, { method: 'HEAD' });
  expect([head.headers.get('x-seen'), head.headers.get('content-length'), await head.text()]).toEqual([
    'HEAD',
    '10',
    '',
  ]);
  const options = await fetch(`${url}/api/a`, { method: 'OPTIONS' });
  expect([options.status, options.headers.get('x-seen')]).toEqual([204, 'OPTIONS']);
  expect((await fetch(`${url}/api/a`, { method: 'PUT', body: 'x' })).status).toBe(405);
});

test('several Set-Cookie headers stay several, and repeated request headers are joined', async () => {
  const { url } = await run({
    'api/a.ts': `export function GET(request: Request) {
      const headers = new Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-seen', request.headers.get('x-many') ?? '']]);
      return new Response(null, { headers });
    }`,
  });
  const response = await raw(url, '/api/a', { headers: { 'x-many': ['1', '2'] } });
  expect(response.headers['set-cookie']).toEqual(['a=1', 'b=2']);
  expect(response.headers['x-seen']).toBe('1, 2');
});

test('bodies stream both ways: each chunk is echoed before the next is sent', async () => {
  const { url } = await run({
    'api/echo.ts': 'export const POST = (request: Request) => new Response(request.body);',
  });
  const { hostname, port } = new URL(url);
  const sent = httpRequest({ hostname, port, path: '/api/echo', method: 'POST' });
  sent.write('one');
  const [response]: IncomingMessage[] = await once(sent, 'response');
  const chunks = response?.setEncoding('utf8')[Symbol.asyncIterator]();
  expect((await chunks?.next())?.value).toBe('one');
  sent.write('two');
  expect((await chunks?.next())?.value).toBe('two');
  sent.end();
  expect((await chunks?.next())?.done).toBe(true);
});

test('an answer that does not read the body still arrives', async () => {
  const { url } = await run({
    'api/a.ts': `export async function POST(request: Request) {
      const reader = request.body!.getReader(); await reader.read(); await reader.cancel();
      return new Response('too large', { status: 413 });
    }`,
  });
  for (const _ of [1, 2]) {
    const response = await fetch(`${url}/api/a`, { method: 'POST', body: 'x'.repeat(3_000_000) });
    expect([response.status, await response.text()]).toEqual([413, 'too large']);
  }
});

test('an answer arrives although the client is still sending', async () => {
  const { url } = await run({
    'api/a.ts': `export async function POST(request: Request) {
      const reader = request.body!.getReader(); await reader.read(); await reader.cancel();
      return new Response('too large', { status: 413 });
    }`,
  });
  for (let attempt = 0; attempt < 5; attempt++) {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await nextTurn();
        controller.enqueue(new Uint8Array(100_000));
        sent += 1;
        if (sent === 80) controller.close();
      },
    });
    const streaming: RequestInit & { duplex: 'half' } = { body, duplex: 'half' };
    const response = await fetch(`${url}/api/a`, { method: 'POST', ...streaming });
    expect([response.status, await response.text()]).toEqual([413, 'too large']);
  }
});

test('when the client leaves, request.signal aborts and the response body is cancelled', async () => {
  const { url } = await run({
    'api/seen.ts': `import { seen } from './_seen.ts'; export const GET = () => Response.json(seen);`,
    'api/_seen.ts': 'export const seen: string[] = [];',
    'api/slow.ts': `import { seen } from './_seen.ts';
      export function GET(request: Request) {
        request.signal.addEventListener('abort', () => seen.push('aborted'));
        const body = new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode('first')),
          cancel: () => { seen.push('cancelled'); },
        });
        return new Response(body);
      }`,
  });
  const controller = new AbortController();
  const response = await fetch(`${url}/api/slow`, { signal: controller.signal });
  await response.body?.getReader().read();
  controller.abort();
  await expect
    .poll(async () => await (await fetch(`${url}/api/seen`)).text(), SOON)
    .toMatch(/aborted.*cancelled|cancelled.*aborted/);
});

test('a body that fails half way is not taken for a complete one', async () => {
  const { url } = await run({
    'api/a.ts': `export const GET = () => new Response(new ReadableStream({
      pull(controller) { controller.enqueue(new TextEncoder().encode('first')); controller.error(new Error('broken')); } }, { highWaterMark: 0 }));`,
  });
  await expect(fetch(`${url}/api/a`).then((response) => response.text())).rejects.toThrow();
});

test('a function that throws answers 500 without the error’s text, and one that does not load says so', async () => {
  const { url, events } = await run({
    'api/throws.ts': `export const GET = () => { throw new Error('inner detail'); };`,
    'api/broken.ts': 'export const GET = (;',
    'api/fine.ts': SAY('fine'),
  });
  const thrown = await fetch(`${url}/api/throws`);
  expect(thrown.status).toBe(500);
  expect(await thrown.text()).not.toContain('inner detail');
  expect((await fetch(`${url}/api/broken`)).status).toBe(500);
  expect(await (await fetch(`${url}/api/fine`)).text()).toBe('fine');
  expect(events.some((event) => event.type === 'load-failed' && event.file === 'api/broken.ts')).toBe(true);
});

test('serves the static page, never a file outside it, and a friendly text without one', async () => {
  const { url, root } = await run({
    'api/health.ts': SAY('health'),
    'web/dist/index.html': '<title>page</title>',
    'web/secret.txt': 'outside',
  });
  const page = await fetch(url);
  expect([page.headers.get('content-type'), await page.text()]).toEqual([
    'text/html; charset=utf-8',
    '<title>page</title>',
  ]);
  for (const path of [
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/../secret.txt',
    '/..%5csecret.txt',
    '/%00',
  ]) {
    expect((await raw(url, path)).statusCode).toBe(404);
  }
  await rm(join(root, 'web'), { recursive: true });
  expect(await (await fetch(url)).text()).toContain('/api/health');
});

test('the functions see exactly the environment they were given', async () => {
  const { functions } = await run({}, { ONLY: 'this' });
  const environment = await functions.environment();
  expect(environment.ONLY).toBe('this');
  expect(environment.PATH).toBeUndefined();
});

test('a restart refuses nothing: what was asked before is finished, what is asked meanwhile is answered', async () => {
  const { url, functions } = await run(
    {
      'api/env.ts': 'export const GET = () => new Response(process.env.GENERATION);',
      'api/slow.ts': `export async function POST(request: Request) {
        const text = await request.text();
        return new Response(text + ' in ' + process.env.GENERATION);
      }`,
    },
    { GENERATION: '1' },
  );
  const { hostname, port } = new URL(url);
  const inFlight = httpRequest({ hostname, port, path: '/api/slow', method: 'POST' });
  inFlight.write('begun ');
  await expect.poll(async () => (await fetch(`${url}/api/env`)).text(), SOON).toBe('1');

  const restarting = functions.restart({ GENERATION: '2' });
  const meanwhile = await Promise.all(
    Array.from({ length: 40 }, async () => (await fetch(`${url}/api/env`)).text()),
  );
  expect(meanwhile.every((generation) => generation === '1' || generation === '2')).toBe(true);
  await restarting;
  expect(await (await fetch(`${url}/api/env`)).text()).toBe('2');

  inFlight.end('and finished');
  const [response]: IncomingMessage[] = await once(inFlight, 'response');
  expect(response && (await bodyOf(response))).toBe('begun and finished in 1');
});

test('on close, what has no answer by the deadline gets a 503, not silence', async () => {
  const { url, functions } = await run({ 'api/never.ts': 'export const GET = () => new Promise(() => {});' });
  const asking = fetch(`${url}/api/never`);
  await expect.poll(async () => (await fetch(`${url}/api/nothing`)).status, SOON).toBe(404);
  await functions.close(100);
  const response = await asking;
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
  await expect(fetch(`${url}/api/never`)).rejects.toThrow();
});

test('on close, work put off with waitUntil is finished first', async () => {
  const { root, url, functions } = await run({
    'api/later.ts': `import { waitUntil } from '${import.meta.resolve('@vercel/functions')}';
      import { once } from 'node:events';
      import { watch } from 'node:fs';
      import { writeFile } from 'node:fs/promises';
      async function later(directory: string) {
        await once(watch(directory), 'change');
        await writeFile(directory + '/../written-later', 'done');
      }
      export async function POST(request: Request) {
        waitUntil(later(await request.text()));
        return new Response('answered');
      }`,
    'gate/closed': '',
  });
  const gate = join(root, 'gate');
  expect(await (await fetch(`${url}/api/later`, { method: 'POST', body: gate })).text()).toBe('answered');
  const closing = functions.close();
  await expect.poll(() => fetch(url).catch(() => 'refused'), SOON).toBe('refused');
  await writeFiles(root, { 'gate/open': '' });
  await closing;
  expect(await readFile(join(root, 'written-later'), 'utf8')).toBe('done');
});

test('functions that crash are started again, and who calls meanwhile waits for them', async () => {
  const { url, events } = await run({
    'api/fine.ts': SAY('fine'),
    'api/crash.ts': `export const GET = () => { setImmediate(() => { throw new Error('crash'); }); return new Promise(() => {}); };`,
  });
  await (await fetch(`${url}/api/fine`)).text();
  await expect.poll(() => events.some(({ type }) => type === 'answered'), SOON).toBe(true);
  await expect(fetch(`${url}/api/crash`)).rejects.toThrow();
  await expect
    .poll(() => events.find(({ type }) => type === 'crashed'), SOON)
    .toEqual({ type: 'crashed', startsAgain: true });
  expect(await (await fetch(`${url}/api/fine`)).text()).toBe('fine');
});

test('functions that crash before they have answered anything are not started over and over', async () => {
  const { url, events } = await run({ 'api/a.ts': `setImmediate(() => { throw new Error('crash'); });` });
  await expect
    .poll(() => events.find(({ type }) => type === 'crashed'), SOON)
    .toEqual({ type: 'crashed', startsAgain: false });
  expect((await fetch(`${url}/api/a`)).status).toBe(503);
});

test('a body that was not read to its end does not hold up the next request of the connection', async () => {
  const server = createWebServer(async (request) => {
    const reader = request.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    return new Response('enough');
  });
  const port = await listen(server);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(async () => {
    agent.destroy();
    await closeServer(server);
  });
  for (const _ of [1, 2]) {
    const response = await raw(
      `http://127.0.0.1:${port}`,
      '/',
      { agent, method: 'POST' },
      'x'.repeat(3_000_000),
    );
    expect(await bodyOf(response)).toBe('enough');
  }
});

test('when the functions do not start, the answer is a clear 503, and the next good start serves again', async () => {
  const { root, url, functions, events } = await run({ 'vercel.json': '{', 'api/health.ts': SAY('health') });
  expect(events.some((event) => event.type === 'not-started')).toBe(true);
  const response = await fetch(`${url}/api/health`);
  expect([response.status, await response.text()]).toEqual([503, expect.stringContaining('not running')]);
  await writeFiles(root, { 'vercel.json': '{}' });
  await functions.restart({});
  expect(await (await fetch(`${url}/api/health`)).text()).toBe('health');
});

test('events tell of each answer without its query', async () => {
  const { url, events } = await run({ 'api/health.ts': SAY('health') });
  await (await fetch(`${url}/api/health?key=hidden`)).text();
  await expect
    .poll(() => events.find((event) => event.type === 'answered'), SOON)
    .toMatchObject({ method: 'GET', path: '/api/health', status: 200 });
  expect(JSON.stringify(events)).not.toContain('hidden');
});
