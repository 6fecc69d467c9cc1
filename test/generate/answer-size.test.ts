import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  MAX_JSON_ANSWER_BYTES,
  MAX_PROVIDER_ERROR_BYTES,
  MAX_PROVIDER_EVENT_BYTES,
} from '../../lib/limits.ts';
import { bodyOf, toStream } from '../../lib/outgoing/body.ts';
import { limitAnswerBody } from '../../lib/outgoing/provider-fetch.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let generate: HandlerModule;
let token: string;

beforeAll(async () => {
  world = await startWorld();
  generate = await import('../../api/generate.ts');
  const key: HandlerModule = await import('../../api/userkeys.ts');
  token = await world.tokenFor('alice');
  for (const provider of ['openai', 'gemini']) {
    await call(key, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: newProviderKey() } });
  }
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

const ask = (body: object) => call(generate, '/api/generate', { method: 'POST', token, json: body });
const MEGABYTE = 1024 * 1024;

/** Writes up to 64 MB, as fast as the reader accepts them. */
async function flood(response: ServerResponse): Promise<number> {
  const chunk = Buffer.alloc(MEGABYTE, 'a');
  response.setMaxListeners(0);
  let sent = 0;
  for (; sent < 64 * MEGABYTE && !response.destroyed; sent += MEGABYTE) {
    if (!response.write(chunk)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
  }
  response.end();
  return sent;
}

/** Sockets and pipes may buffer a few more bytes before the call is aborted. */
const BUFFERED_BYTES = 12 * MEGABYTE;

describe.each([
  ['an answer', 200, 'application/json', '{"a":"', {}, MAX_JSON_ANSWER_BYTES],
  ['an answer without a type', 200, '', '{"a":"', {}, MAX_JSON_ANSWER_BYTES],
  ['a failure', 500, 'application/json', '{"a":"', {}, MAX_PROVIDER_ERROR_BYTES],
  ['a refusal', 400, 'application/json', '{"a":"', {}, MAX_PROVIDER_ERROR_BYTES],
  ['a refusal of a stream', 401, 'text/event-stream', 'data: ', { stream: true }, MAX_PROVIDER_ERROR_BYTES],
  ['one event', 200, 'text/event-stream', 'data: {"a":"', { stream: true }, MAX_PROVIDER_EVENT_BYTES],
] as const)('%s of a provider', (_what, status, type, beginning, body, maxBytes) => {
  test(`is read up to ${maxBytes} bytes; a larger one is provider_error`, async () => {
    const flooded = new Promise<number>((resolve) => {
      world.providers.answerNextWith(async (recorded, response) => {
        await recorded.received;
        response.writeHead(status, type === '' ? {} : { 'content-type': type });
        response.write(beginning);
        resolve(await flood(response));
      });
    });
    const response = await ask({ provider: 'openai', prompt: 'hi', ...body });
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ code: 'provider_error' });
    expect(await flooded).toBeLessThan(maxBytes + BUFFERED_BYTES);
  });
});

test('a stream of many events passes, whatever their total size', async () => {
  const text = 'a'.repeat(MEGABYTE);
  const event = JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0 }] });
  const count = MAX_PROVIDER_EVENT_BYTES / MEGABYTE + 4;
  world.providers.answerNextWith(async (recorded, response) => {
    await recorded.received;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let sent = 0; sent < count; sent += 1) {
      if (!response.write(`data: ${event}\r\n\r\n`)) await once(response, 'drain');
    }
    response.end();
  });
  const response = await ask({ provider: 'gemini', prompt: 'hi', stream: true });
  expect((await response.text()).length).toBe(count * MEGABYTE);
});

test('an invalid HTTP status is provider_error', async () => {
  world.providers.answerNextWith((_call, response) => void response.writeHead(700).end('{}'));
  const response = await ask({ provider: 'openai', prompt: 'hi' });
  expect([response.status, (await response.json()).code]).toEqual([502, 'provider_error']);
});

describe('an event ends', () => {
  const HALF = MAX_PROVIDER_EVENT_BYTES / 2;
  async function sizeOf(...chunks: readonly string[]): Promise<number> {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
        controller.close();
      },
    });
    const headers = new Headers({ 'content-type': 'text/event-stream; charset=utf-8' });
    const limited = limitAnswerBody({ status: 200, headers, body: bodyOf(body) });
    return (await new Response(toStream(limited)).bytes()).length;
  }
  const line = `data: ${'a'.repeat(HALF)}`;

  test.each(['\n\n', '\r\n\r\n', '\r\r', '\n\r\n'])('at a blank line, with %j', async (end) => {
    const event = line + end;
    expect(await sizeOf(...(event.repeat(3).match(/[\s\S]{1,65536}/g) ?? []))).toBe(3 * event.length);
  });

  test.each(['\n', '\r\n', '\r'])('not at %j alone', async (end) => {
    await expect(sizeOf(line + end, line + end)).rejects.toMatchObject({ reason: 'unusable' });
  });
});
