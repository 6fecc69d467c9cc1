/** A call over the rate limit is refused before it writes: nothing in the store changes but the counts of calls. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { routes } from '../../lib/routes.ts';
import { dumpStore } from '../account/store-dump.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

const LIMIT = 30;
const START = Date.parse('2031-03-04T12:00:01Z');
const PUBLIC = ['/health', '/providers', '/cron/rotate'];

/** A call for each method of each route for users. A new route or method needs an entry here. */
const CALLS: Readonly<Record<string, { readonly path: string; readonly json?: unknown }>> = {
  'GET /keys': { path: '/api/keys' },
  'DELETE /keys': { path: '/api/keys' },
  'GET /keys/:provider': { path: '/api/keys/openai' },
  'PUT /keys/:provider': { path: '/api/keys/openai', json: { key: newProviderKey() } },
  'PATCH /keys/:provider': { path: '/api/keys/openai', json: { guards: { paused: false, callsPerDay: 1 } } },
  'POST /keys/:provider': { path: '/api/keys/openai' },
  'DELETE /keys/:provider': { path: '/api/keys/openai' },
  'GET /onboarding': { path: '/api/onboarding' },
  'PATCH /onboarding': { path: '/api/onboarding', json: { step: 'api-keys', status: 'completed' } },
  'DELETE /onboarding': { path: '/api/onboarding' },
  'POST /generate': { path: '/api/generate', json: { provider: 'openai', prompt: 'Hello' } },
  'POST /search': { path: '/api/search', json: { query: 'x' } },
  'GET /proxy/:provider/*': { path: '/api/proxy/exa/v1/models' },
  'POST /proxy/:provider/*': { path: '/api/proxy/exa/search', json: { query: 'x' } },
  'PUT /proxy/:provider/*': { path: '/api/proxy/exa/search', json: {} },
  'PATCH /proxy/:provider/*': { path: '/api/proxy/exa/search', json: {} },
  'DELETE /proxy/:provider/*': { path: '/api/proxy/exa/search' },
  'GET /audit': { path: '/api/audit' },
  'GET /usage': { path: '/api/usage' },
  'GET /account': { path: '/api/account' },
  'DELETE /account': { path: '/api/account' },
};

let world: World;
let functions: HandlerModule;

beforeAll(async () => {
  world = await startWorld({ env: { RATE_LIMIT_PER_MINUTE: String(LIMIT) } });
  functions = await import('../../api/userkeys.ts');
});
afterAll(() => world.close());
afterEach(() => vi.useRealTimers());

const at = (minute: number) => vi.useFakeTimers({ toFake: ['Date'], now: START + minute * 60_000 });

async function tokenOf(sub: string): Promise<string> {
  const now = START / 1000;
  return world.tokenFor(sub, { iat: now, exp: now + 60 * 60 });
}

/** Everything in the store but the counts of calls, and the log of refusals. */
async function dump(): Promise<readonly string[]> {
  const lines = await dumpStore(world.kv);
  return lines.filter((line) => !/:(calls|checks|refusals|refused)[: ]/.test(line)).sort();
}

test.each(['somebody with keys, guards and an onboarding', 'somebody new'])(
  'no call of %s changes anything when it is over the rate limit',
  { timeout: 30_000 },
  async (who) => {
    at(0);
    const token = await tokenOf(who);
    const send = (method: string, path: string, json?: unknown) =>
      call(functions, path, { method, token, ...(json === undefined ? {} : { json }) });
    if (who !== 'somebody new') {
      for (const provider of ['openai', 'exa', 'gemini']) {
        expect((await send('PUT', `/api/keys/${provider}`, { key: newProviderKey() })).status).toBe(201);
      }
      await send('PATCH', '/api/keys/openai', { guards: { paused: true, callsPerDay: 7 } });
      await send('PATCH', '/api/onboarding', { step: 'api-keys', status: 'completed' });
      expect((await send('DELETE', '/api/keys/gemini')).status).toBe(204);
    }
    at(5);
    for (let calls = 0; calls < 2 * LIMIT; calls += 1) await send('GET', '/api/keys');
    const before = await dump();
    if (who !== 'somebody new') expect(before.length).toBeGreaterThanOrEqual(4);
    world.providers.reset();

    for (const { path: pattern, load } of routes) {
      if (PUBLIC.includes(pattern)) continue;
      for (const method of Object.keys(await load())) {
        if (method === 'HEAD') continue;
        const title = `${method} ${pattern}`;
        expect(CALLS, `${title} needs to be called here`).toHaveProperty([title]);
        const { path = '', json } = CALLS[title] ?? {};
        const response = await send(method, path, json);
        expect(response.status, title).toBe(429);
        expect(await response.json()).toMatchObject({ code: 'rate_limited' });
        expect(await dump(), title).toEqual(before);
      }
    }
    expect(world.calls).toEqual([]);
  },
);

test('a refused write counts against the limit, and one that is within it is done in the script that counts it', async () => {
  at(0);
  const token = await tokenOf('counted');
  const remove = () => call(functions, '/api/keys', { method: 'DELETE', token });
  const first = world.kv.requests.length;
  expect((await remove()).status).toBe(204);
  const sent = world.kv.requests.slice(first).filter((commands) => !commands.flat().join().includes('XADD'));
  expect(sent.map((commands) => commands.map(([name]) => name?.toUpperCase()))).toEqual([
    // Looks for data under old names.
    ['EXISTS', 'EXISTS'],
    ['EVAL'],
  ]);
  for (let calls = 1; calls < LIMIT; calls += 1) expect((await remove()).status).toBe(204);
  const responses = await Promise.all(Array.from({ length: LIMIT }, remove));
  expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([429]));
  // Thirty more calls were counted, so half a minute later the last minute still has too many.
  at(1.5);
  expect((await remove()).status).toBe(204);
  at(1.4);
  expect((await remove()).status).toBe(429);
});
