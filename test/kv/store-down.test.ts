import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

const modules = {
  keys: () => import('../../api/userkeys.ts'),
  key: () => import('../../api/userkeys.ts'),
  proxy: () => import('../../api/proxy.ts'),
  generate: () => import('../../api/generate.ts'),
  search: () => import('../../api/userkeys.ts'),
  health: () => import('../../api/userkeys.ts'),
};
type Name = keyof typeof modules;
const routes: readonly [Name, string, string, unknown][] = [
  ['keys', 'GET', '/api/keys', undefined],
  ['keys', 'DELETE', '/api/keys', undefined],
  ['key', 'PUT', '/api/keys/openai', { key: newProviderKey() }],
  ['key', 'GET', '/api/keys/openai', undefined],
  ['key', 'POST', '/api/keys/openai', undefined],
  ['key', 'DELETE', '/api/keys/openai', undefined],
  ['proxy', 'GET', '/api/proxy/openai/v1/models', undefined],
  ['generate', 'POST', '/api/generate', { prompt: 'hi' }],
  ['search', 'POST', '/api/search', { query: 'q' }],
];

/** How a broken store answers; by default it hangs. */
let broken: Server;
let world: World;
let answer: ((end: (status: number, body: string) => void) => void) | undefined;

beforeAll(async () => {
  broken = createServer((request, response) => {
    request.resume();
    answer?.((status, body) => response.writeHead(status).end(body));
  });
  const port = await listen(broken);
  world = await startWorld({ env: { KV_REST_API_URL: `http://${LOOPBACK}:${port}` } });
});
afterAll(async () => {
  await world.close();
  await closeServer(broken);
});

const attempt = async ([name, method, path, json]: (typeof routes)[number]) => {
  const module: HandlerModule = await modules[name]();
  return call(module, path, { method, token: await world.tokenFor('alice'), ...(json ? { json } : {}) });
};

describe.each<[string, typeof answer]>([
  ['does not answer', undefined],
  [
    'answers with an error that quotes the command',
    (end) => end(400, '{"error":"ERR HSET userkeys:keys:alice secret"}'),
  ],
  ['answers with an error for each command', (end) => end(200, '[{"error":"ERR secret"}]')],
  ['answers with HTML', (end) => end(200, '<html>')],
  ['refuses the token', (end) => end(401, '{"error":"secret"}')],
])('a store that %s', (_what, behaviour) => {
  test('causes 503 with Retry-After on every route, never "no key", and the provider is not called', async () => {
    answer = behaviour;
    const responses = await Promise.all(routes.map(attempt));
    for (const response of responses) {
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('2');
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ code: 'store_unavailable' });
      expect(text).not.toMatch(/secret|HSET/);
    }
    expect(world.calls).toEqual([]);
  });

  test('is reported by the health route', async () => {
    answer = behaviour;
    const response = await call(await modules.health(), '/api/health');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: 'unavailable', mode: 'production', kv: 'unreachable' });
  });
});

test('a healthy deployment is reported as ok', async () => {
  const healthy = await startWorld();
  try {
    const { composeApp } = await import('../../lib/compose.ts');
    const { loadConfig } = await import('../../lib/config.ts');
    const { createUndiciSend } = await import('../../lib/outgoing/undici-send.ts');
    const { serveApp } = await import('../support/serve-app.ts');
    const app = composeApp(loadConfig(), { send: createUndiciSend(), after: () => {} });
    expect(await (await call(serveApp(app), '/api/health')).json()).toEqual({
      status: 'ok',
      mode: 'production',
      kv: 'ok',
    });
  } finally {
    await healthy.close();
  }
});
