import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { startWorld, type World } from '../support/start-world.ts';

let world: World;
let generate: HandlerModule;

beforeAll(async () => {
  world = await startWorld({ env: { RATE_LIMIT_PER_MINUTE: '3' } });
  generate = await import('../../api/generate.ts');
});
afterAll(() => world.close());

const send = async (sub: string, body: BodyInit) =>
  call(generate, '/api/generate', { method: 'POST', token: await world.tokenFor(sub), body });

test('a problem for a body with many errors names the first twenty', async () => {
  const response = await send('many', `{"messages":[${Array(500).fill('{}').join(',')}]}`);
  expect((await response.json()).errors).toHaveLength(20);
});

test.each([
  ['has too many values', `{"messages":[${Array(300_000).fill('{}').join(',')}]}`],
  ['is nested too deeply', `{"messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
])('a body that %s is refused before schema validation', async (what, body) => {
  const response = await send(what.replaceAll(' ', '-'), body);
  expect(response.status).toBe(400);
  const text = await response.text();
  expect(JSON.parse(text)).toMatchObject({ code: 'invalid_request', errors: [{ pointer: '' }] });
  expect(text.length).toBeLessThan(1_000);
});

test('calls with an invalid body count towards the rate limit', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Math.ceil(Date.now() / 60_000) * 60_000 });
  const statuses: number[] = [];
  for (let index = 0; index < 5; index += 1) statuses.push((await send('counted', '{')).status);
  vi.useRealTimers();
  expect(statuses).toEqual([400, 400, 400, 429, 429]);
});

test('an incomplete body is reported as the caller’s error, not as an unexpected error', async () => {
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {});
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"prompt'));
    },
    pull(controller) {
      controller.error(new Error('left'));
    },
  });
  const response = await send('left', body);
  expect(await response.json()).toMatchObject({ code: 'body_incomplete', status: 400 });
  expect(JSON.stringify(printed.mock.calls)).not.toContain('unexpected_error');
  printed.mockRestore();
});
