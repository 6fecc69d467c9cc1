import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let modules: Record<'key' | 'proxy', HandlerModule>;
const lines: Record<string, unknown>[] = [];

beforeAll(async () => {
  vi.doMock('@vercel/otel', () => {
    throw new Error('loaded where nothing is configured');
  });
  world = await startWorld({ env: { TRACE_CONTEXT_TO: 'openai', LOG_EVERY_CALL: 'true' } });
  modules = {
    key: await import('../../api/userkeys.ts'),
    proxy: await import('../../api/proxy.ts'),
  };
});
afterAll(async () => {
  vi.restoreAllMocks();
  await world.close();
});
beforeEach(() => {
  lines.length = 0;
  vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(JSON.parse(line)));
});

test('without OTEL_ variables OpenTelemetry is not loaded, and a caller’s own trace context is forwarded', async () => {
  const token = await world.tokenFor('untraced');
  await call(modules.key, '/api/keys/openai', { method: 'PUT', token, json: { key: newProviderKey() } });
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  for (const [sent, passed] of [
    [traceparent, traceparent],
    [`${traceparent}-${token}`, undefined],
  ] as const) {
    const response = await call(modules.proxy, '/api/proxy/openai/v1/models', {
      token,
      headers: { traceparent: sent },
    });
    expect(response.status).toBe(200);
    expect(world.calls.at(-1)?.headers.traceparent).toBe(passed);
  }
});

test('a call is logged as one line of JSON with its request id and without the caller’s path', async () => {
  const token = await world.tokenFor('untraced');
  const response = await call(modules.proxy, '/api/proxy/exa/search?q=private', { token });
  const line = lines.find(({ event }) => event === 'call');
  expect(line).toEqual({
    time: expect.any(String),
    level: 'info',
    event: 'call',
    requestId: response.headers.get('x-userkeys-request-id'),
    method: 'GET',
    route: '/api/proxy/:provider/*',
    status: 403,
    code: 'key_missing',
    reason: 'key_missing',
    ms: expect.any(Number),
    verifyMs: expect.any(Number),
    kvMs: expect.any(Number),
  });
  expect(JSON.stringify(lines)).not.toContain('private');
});

test('other origins cannot read the Server-Timing header', async () => {
  const response = await call(modules.proxy, '/api/proxy/exa/search', {
    headers: { origin: 'https://other.example' },
  });
  expect(response.headers.get('access-control-expose-headers') ?? '').not.toContain('server-timing');
  expect(response.headers.has('timing-allow-origin')).toBe(false);
});
