import { type IncomingMessage, request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startVercelDev, type VercelDev } from '../../dev/vercel/start-vercel-dev.ts';
import { events } from '../support/answers.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

/** Installing the CLI, the first time. */
const START_TIMEOUT_MS = 600_000;
/** Each call is a process of its own. */
const CALLS_TIMEOUT_MS = 120_000;

/** One token serves all calls, which take long on a busy machine. */
const LIFETIME_SECONDS = 3_600;

let world: World;
let dev: VercelDev;
let headers: Readonly<Record<string, string>>;
const key = newProviderKey();

beforeAll(async () => {
  world = await startWorld({ applyEnv: false });
  dev = await startVercelDev({ env: { ...world.env } });
  headers = {
    authorization: `Bearer ${await world.tokenFor('alice', { exp: Math.floor(Date.now() / 1000) + LIFETIME_SECONDS })}`,
    'content-type': 'application/json',
  };
  const body = JSON.stringify({ key });
  await fetch(`${dev.url}/api/keys/openai`, { method: 'PUT', headers, body });
  world.providers.reset();
}, START_TIMEOUT_MS);
afterAll(async () => {
  await dev?.close();
  await world?.close();
});
afterEach(() => world.providers.reset());

/** The path goes out as it is; `fetch` would tidy it up first. */
function getRaw(path: string): Promise<IncomingMessage> {
  const { hostname, port } = new URL(dev.url);
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, path, headers }, (response) => resolve(response.resume()));
    outgoing.on('error', reject).end();
  });
}

describe('under vercel dev', { timeout: CALLS_TIMEOUT_MS }, () => {
  test('the functions answer, with no account and no login', async () => {
    const health = await fetch(`${dev.url}/api/health`);
    expect(await health.json()).toMatchObject({ status: 'ok', kv: 'ok' });
    const keys = await fetch(`${dev.url}/api/keys`, { headers });
    expect(await keys.json()).toMatchObject({ keys: [{ provider: 'openai', status: 'valid' }] });
  });

  test('a caller without a token is refused', async () => {
    const response = await fetch(`${dev.url}/api/keys`);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'token_missing' });
  });

  test('every method is answered by the function, also those it does not have', async () => {
    const response = await fetch(`${dev.url}/api/health`, { method: 'DELETE' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toContain('GET');
    expect(await response.json()).toMatchObject({ code: 'method_not_allowed' });
  });

  test('a [provider] function answers although the route adds its name to the query', async () => {
    const response = await fetch(`${dev.url}/api/keys/openai`, { headers });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ provider: 'openai' });
  });

  test.each([
    '/v1/chat/completions?x=1',
    '/v1/models/a%2Fb?q=a%20b&provider=z',
    '/v1/files/a;b,c@d/%E2%98%83',
  ])('the proxied path %s arrives as it was sent, with the owner’s key', async (target) => {
    await getRaw(`/api/proxy/openai${target}`);
    expect(world.calls).toHaveLength(1);
    expect(world.calls[0]).toMatchObject({ provider: 'openai', target, credential: key });
  });

  test.each([
    '/api/proxy/openai/%2e%2e/%2e%2e/keys',
    '/api/proxy/openai/../../../keys',
    '/api/proxy/openai//elsewhere.example/x',
    '/api/proxy//elsewhere.example/x',
    '//elsewhere.example/api/proxy/openai/x',
    '/api/proxy/openai/\\elsewhere.example/x',
  ])('the path %s calls no provider', async (path) => {
    const response = await getRaw(path);
    expect(response.statusCode).toBeGreaterThanOrEqual(300);
    expect(response.headers.location ?? '/').toMatch(/^\/(?![/\\])/);
    expect(world.calls).toEqual([]);
  });

  test('an answer streams: its beginning arrives while the provider is still writing', async () => {
    let writeRest = () => {};
    const rest = new Promise<void>((resolve) => {
      writeRest = resolve;
    });
    world.providers.answerNextWith(
      events(['data: 1', 'data: 2'], { before: (index) => (index === 1 ? rest : undefined) }),
    );
    const response = await fetch(`${dev.url}/api/proxy/openai/v1/responses`, {
      method: 'POST',
      headers,
      body: '{}',
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe('data: 1\n\n');
    writeRest();
    expect((await reader?.read())?.value).toBe('data: 2\n\n');
  });

  test('the page is served, and nothing of the sources or settings', async () => {
    expect((await fetch(dev.url)).headers.get('content-type')).toMatch(/^text\/html/);
    for (const path of [
      '/lib/app.ts',
      '/api/lib/app.ts',
      '/vercel.json',
      '/package.json',
      '/tsconfig.json',
    ]) {
      expect((await fetch(dev.url + path)).status, path).toBe(404);
    }
  });
});

test('vercel dev ends with everything it started', { timeout: CALLS_TIMEOUT_MS }, async () => {
  const other = await startVercelDev({ env: { ...world.env } });
  onTestFinished(() => other.close());
  expect((await fetch(`${other.url}/api/health`)).status).toBe(200);
  await other.close();
  await expect(fetch(`${other.url}/api/health`)).rejects.toThrow();
});
