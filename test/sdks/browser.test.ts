/** An unmodified SDK in a real browser, on another origin than the gateway: CORS as browsers enforce it. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWebServer } from '../../dev/http/create-web-server.ts';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { json } from '../support/answers.ts';
import { fromAimock } from './harness/emulate.ts';
import { uploadStarted } from './harness/google-upload.ts';
import { HELLO, type Stage, startStage } from './harness/stage.ts';
import { expectCleanWire } from './harness/wire.ts';

const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const missing = !existsSync(CHROMIUM);
if (missing) process.stdout.write(`browser.test.ts is skipped: there is no browser at ${CHROMIUM}\n`);

/** The page's script: SDKs as npm has them, bundled for a browser. What it is told to do, it does. */
const PAGE = `
import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
window.sdks = { OpenAI, Anthropic, GoogleGenAI };
`;

let stage: Stage;
let page: Awaited<ReturnType<Awaited<ReturnType<typeof chromium.launch>>['newPage']>>;
const stops: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  if (missing) return;
  const script = await bundle();
  const server = createWebServer((request) =>
    request.url.endsWith('/page.js')
      ? new Response(script, { headers: { 'content-type': 'text/javascript' } })
      : new Response('<!doctype html><script type="module" src="/page.js"></script>', {
          headers: { 'content-type': 'text/html' },
        }),
  );
  const pageOrigin = `http://${LOOPBACK}:${await listen(server)}`;
  stops.push(() => closeServer(server));
  stage = await startStage({ ALLOWED_ORIGINS: pageOrigin });
  stops.push(() => stage.close());
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  stops.push(() => browser.close());
  const context = await browser.newContext();
  page = await context.newPage();
  await page.goto(pageOrigin);
  await page.waitForFunction('window.sdks !== undefined');
});
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

async function bundle(): Promise<string> {
  const result = await build({
    root: fileURLToPath(new URL('.', import.meta.url)),
    configFile: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'virtual:page.js' ? `${import.meta.dirname}/page.js` : undefined),
        load: (id) => (id === `${import.meta.dirname}/page.js` ? PAGE : undefined),
      },
    ],
    build: { write: false, minify: false, rolldownOptions: { input: 'virtual:page.js' } },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined || !('output' in output)) throw new Error('nothing was bundled');
  const chunk = output.output.find(({ type }) => type === 'chunk');
  if (chunk?.type !== 'chunk') throw new Error('nothing was bundled');
  return chunk.code;
}

/** Runs the body of an async function in the page; it has \`gateway\`, \`token\` and the SDKs. */
async function inPage(body: string): Promise<unknown> {
  const { gateway, getToken } = stage.session;
  const names = JSON.stringify({ gateway, token: await getToken() });
  return page.evaluate(`(async ({ gateway, token }) => {
    const { OpenAI, Anthropic, GoogleGenAI } = window.sdks;
    const dangerouslyAllowBrowser = true;
    ${body}
  })(${names})`);
}

const preflights = () => stage.tap.exchanges.filter(({ method }) => method === 'OPTIONS');

function reset(): void {
  stage.world.providers.reset();
  stage.tap.exchanges.length = 0;
}

test.skipIf(missing)('openai: a call and a stream, after preflights that carry no token', async () => {
  reset();
  stage.world.providers.answerWith(fromAimock(stage.aimock), 'openai');
  const ask = `{ model: 'gpt-5.4-mini', messages: [{ role: 'user', content: 'Hello' }]`;
  expect(
    await inPage(`
      const client = new OpenAI({ baseURL: gateway + '/openai/v1', apiKey: async () => token, dangerouslyAllowBrowser });
      return (await client.chat.completions.create(${ask} })).choices[0].message.content;`),
  ).toBe(HELLO);
  expect(
    await inPage(`
      const client = new OpenAI({ baseURL: gateway + '/openai/v1', apiKey: token, dangerouslyAllowBrowser });
      let text = '';
      for await (const chunk of await client.chat.completions.create(${ask}, stream: true })) {
        text += chunk.choices[0]?.delta.content ?? '';
      }
      return text;`),
  ).toBe(HELLO);
  expect(preflights().length).toBeGreaterThan(0);
  for (const { status, requestHeaders } of preflights()) {
    expect(status).toBe(204);
    expect(requestHeaders.authorization).toBeUndefined();
    expect(String(requestHeaders['access-control-request-headers'])).toContain('x-stainless-os');
  }
  expectCleanWire(stage);
});

test.skipIf(missing)(
  'openai: the headers of an error are readable, and the SDK retries by them',
  async () => {
    reset();
    stage.world.providers.answerWith(fromAimock(stage.aimock), 'openai');
    const slowDown = {
      'retry-after-ms': '1',
      'x-request-id': 'req_1',
      'x-ratelimit-remaining-requests': '0',
    };
    stage.world.providers.answerNextWith(json({ error: { message: 'Slow down' } }, 429, slowDown));
    const make = `new OpenAI({ baseURL: gateway + '/openai/v1', apiKey: token, dangerouslyAllowBrowser, maxRetries: `;
    expect(await inPage(`return (await ${make} 1 }).models.list()).object;`)).toBe('list');
    expect(stage.world.calls).toHaveLength(2);
    stage.world.providers.answerNextWith(json({ error: { message: 'Slow down' } }, 429, slowDown));
    expect(
      await inPage(`
      try { await ${make} 0 }).models.list(); } catch (error) {
        return [error.status, error.requestID, error.headers.get('x-ratelimit-remaining-requests'), error.message];
      }`),
    ).toEqual([429, 'req_1', '0', '429 Slow down']);
  },
);

test.skipIf(missing)('anthropic: a call, with the headers only it sends', async () => {
  reset();
  stage.world.providers.answerWith(fromAimock(stage.aimock), 'anthropic');
  expect(
    await inPage(`
      const client = new Anthropic({ baseURL: gateway + '/anthropic', apiKey: token, dangerouslyAllowBrowser });
      const question = { model: 'claude-haiku-4-5', max_tokens: 9, messages: [{ role: 'user', content: 'Hello' }] };
      return (await client.messages.create(question)).content[0].text;`),
  ).toBe(HELLO);
  expectCleanWire(stage);
});

test.skipIf(missing)('genai: an upload, whose address it reads from a header', async () => {
  reset();
  stage.world.providers.answerNextWith(uploadStarted);
  stage.world.providers.answerNextWith(
    json({ file: { name: 'files/1' } }, 200, { 'x-goog-upload-status': 'final' }),
  );
  expect(
    await inPage(`
      const client = new GoogleGenAI({ apiKey: token, httpOptions: { baseUrl: gateway + '/gemini' } });
      const file = new Blob(['bytes of a file'], { type: 'text/plain' });
      return (await client.files.upload({ file, config: { mimeType: 'text/plain' } })).name;`),
  ).toBe('files/1');
  expect(String(stage.world.calls[1]?.body())).toBe('bytes of a file');
  expectCleanWire(stage);
});

test.skipIf(missing)('a page of another origin reads nothing', async () => {
  reset();
  const other = await page.context().newPage();
  const server = createWebServer(
    () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } }),
  );
  const origin = `http://${LOOPBACK}:${await listen(server)}`;
  try {
    await other.goto(origin);
    const { gateway, getToken } = stage.session;
    const headers = JSON.stringify({ authorization: `Bearer ${await getToken()}` });
    const outcome = await other.evaluate(
      `fetch('${gateway}/openai/v1/models', { headers: ${headers} }).then(() => 'read', () => 'refused')`,
    );
    expect(outcome).toBe('refused');
    expect(stage.world.calls).toHaveLength(0);
  } finally {
    await other.close();
    await closeServer(server);
  }
});
