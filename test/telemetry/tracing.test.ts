import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type CallInit, call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { type Collector, startCollector } from './collector.ts';

let world: World;
let collector: Collector;
let modules: Record<'key' | 'proxy' | 'generate', HandlerModule>;
let token: string;
const key = newProviderKey('canary-key-');

beforeAll(async () => {
  collector = await startCollector();
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.url);
  vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json');
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '20');
  world = await startWorld({ env: { TRACE_CONTEXT_TO: 'openai' } });
  modules = {
    key: await import('../../api/userkeys.ts'),
    proxy: await import('../../api/proxy.ts'),
    generate: await import('../../api/generate.ts'),
  };
  token = await world.tokenFor('traced');
  for (const provider of ['openai', 'gemini'])
    await call(modules.key, `/api/keys/${provider}`, { method: 'PUT', token, json: { key } });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await world.close();
  await collector.close();
});

const TRACE = '0123456789abcdef0123456789abcdef';
const PARENT = 'fedcba9876543210';

async function traced(path: string, init: CallInit = {}) {
  const response = await call(modules.proxy, path, {
    token,
    headers: { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: `x=${token}` },
    ...init,
  });
  const id = response.headers.get('x-userkeys-request-id');
  const root = await vi.waitFor(
    () => {
      const found = collector.spans.find(({ attributes }) =>
        attributes.some(({ value }) => value.stringValue === id),
      );
      if (found === undefined) throw new Error('not exported yet');
      return found;
    },
    { timeout: 15_000 },
  );
  const stages = await vi.waitFor(() => {
    const children = collector.spans.filter(({ parentSpanId }) => parentSpanId === root.spanId);
    expect(children.length).toBeGreaterThan(0);
    return children;
  });
  return { response, root, stages };
}

test('a call is one span with its stages, as a child of the caller’s span', async () => {
  const { response, root, stages } = await traced('/api/proxy/openai/v1/models?secret=1');
  expect(root).toMatchObject({ name: 'GET /api/proxy/:provider/*', traceId: TRACE, parentSpanId: PARENT });
  expect(stages.map(({ name }) => name)).toEqual(['verify', 'kv', 'open', 'provider']);
  for (const stage of stages) {
    expect(stage.startTimeUnixNano).toBeGreaterThanOrEqual(root.startTimeUnixNano - 1e6);
    expect(stage.endTimeUnixNano).toBeLessThanOrEqual(root.endTimeUnixNano + 5e6);
  }
  const timing = response.headers.get('server-timing') ?? '';
  expect(timing).toMatch(/^verify;dur=[\d.]+, kv;dur=[\d.]+, open;dur=[\d.]+, provider;dur=[\d.]+$/);
});

test('trace context is sent only to the providers that the operator names', async () => {
  const { root } = await traced('/api/proxy/openai/v1/models');
  expect(world.calls.at(-1)?.headers.traceparent).toBe(`00-${TRACE}-${root.spanId}-01`);
  expect(world.calls.at(-1)?.headers).not.toHaveProperty('tracestate');
  await traced('/api/proxy/gemini/v1beta/models');
  expect(world.calls.at(-1)?.headers).not.toHaveProperty('traceparent');
});

test('a refusal has its code, and nothing exported contains a key, token, path or query', async () => {
  const { root } = await traced(`/api/proxy/exa/search?q=${key}&t=${token}`);
  expect(root.attributes).toContainEqual({ key: 'error.type', value: { stringValue: 'key_missing' } });
  await traced(`/api/proxy/openai/v1/${key}`, { headers: { traceparent: `${token}` } });
  const everything = collector.received();
  for (const secret of [key, token, token.split('.')[2] ?? '', world.kv.token, world.env.VAULT_KEYS ?? '']) {
    expect(everything).not.toContain(secret);
  }
  expect(everything).not.toContain('/v1/models');
});
