import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { MAX_PROXY_REQUEST_BYTES } from '../../lib/limits.ts';
import { echo } from '../support/answers.ts';
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
  await call(keys, '/api/keys/openai', { method: 'PUT', token, json: { key: newProviderKey() } });
  world.providers.reset();
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

const send = (body: BodyInit, headers: Readonly<Record<string, string>> = {}) =>
  call(proxy, '/api/proxy/openai/v1/files', { method: 'POST', token, body, headers });

function streamOf(bytes: number): ReadableStream<Uint8Array> {
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      const chunk = new Uint8Array(Math.min(left, 64 * 1024));
      left -= chunk.length;
      if (chunk.length === 0) controller.close();
      else controller.enqueue(chunk);
    },
  });
}

test('a body of 4.5 MB passes, as on Vercel', async () => {
  world.providers.answerNextWith(echo);
  const response = await send(streamOf(MAX_PROXY_REQUEST_BYTES));
  expect(response.status).toBe(200);
  expect((await response.arrayBuffer()).byteLength).toBe(4.5 * 1024 * 1024);
});

test('a larger declared Content-Length is a 413 problem, and the provider is not called', async () => {
  const length = String(MAX_PROXY_REQUEST_BYTES + 1);
  const response = await send('x', { 'content-length': length });
  expect(response.status).toBe(413);
  expect(response.headers.get('x-userkeys-error')).toBe('body_too_large');
  expect(await response.json()).toMatchObject({ code: 'body_too_large', maxBytes: MAX_PROXY_REQUEST_BYTES });
  expect(world.calls).toEqual([]);
});

test('a body refused for its Content-Length is left unread and unlocked', async () => {
  const request = new Request('http://127.0.0.1:3000/api/proxy/openai/v1/files', {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-length': String(MAX_PROXY_REQUEST_BYTES + 1),
    },
    body: 'x',
  });
  expect((await proxy.POST?.(request))?.status).toBe(413);
  expect([request.bodyUsed, request.body?.locked]).toEqual([false, false]);
});

test('a larger body without Content-Length is a 413 problem too', async () => {
  const response = await send(streamOf(MAX_PROXY_REQUEST_BYTES + 1));
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ code: 'body_too_large' });
});
