/** A provider that fails in the middle of a save, a check or a call. */
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import type { Send } from '../../lib/outgoing/send.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import { type Answer, hang, json, reset, resetMidway, stall } from '../support/answers.ts';
import { serveApp } from '../support/serve-app.ts';
import { startWorld, type World } from '../support/start-world.ts';
import { type Ask, askModule, callsOf, newPerson, operations, seenBy, storeKeys } from './person.ts';
import { faultsInStore } from './store-invariants.ts';

/** The deadlines of providers, so short that a stall does not take long. */
const PROVIDER_TIMEOUT_MS = 150;

let world: World;
let ask: Ask;

beforeAll(async () => {
  world = await startWorld();
  const pending = new Set<Promise<unknown>>();
  const toKv = createUndiciSend();
  const toProviders = createUndiciSend();
  const send: Send = (request) =>
    toProviders({ ...request, answerTimeoutMs: PROVIDER_TIMEOUT_MS, idleTimeoutMs: PROVIDER_TIMEOUT_MS });
  const after = (work: Promise<unknown>) => {
    pending.add(work);
    void work.finally(() => pending.delete(work));
  };
  const app = composeApp(loadConfig(), { send, sendToKv: toKv, after });
  ask = askModule(serveApp(app), async () => {
    while (pending.size > 0) await Promise.allSettled(pending);
  });
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

/** Announces more than it sends, and closes the connection. */
const cutJson: Answer = async (call, response) => {
  await call.received;
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1_000 });
  response.write('{"choices": [{"message": {"con', () => response.destroy());
};

/** Stops reading the request, and closes the connection. */
const dropWhileReading: Answer = async (_call, response) => {
  await once(response.req, 'readable');
  response.destroy();
};

const failures: readonly (readonly [string, Answer])[] = [
  ['closes the connection', reset],
  ['closes the connection while it reads the request', dropWhileReading],
  ['closes the connection in the middle of a stream', resetMidway],
  ['closes the connection in the middle of a JSON answer', cutJson],
  ['does not answer', hang],
  ['stops in the middle of a stream', stall],
  ['answers that it is overloaded', json({ error: { message: 'overloaded' } }, 503)],
  ['answers with an empty text', json(undefined)],
];
const CALLING = ['save', 'replace', 'check', 'call', 'streamed call', 'generate'];

describe.each(operations.filter(({ name }) => CALLING.includes(name)))('$name', (operation) => {
  test.each(failures)('of a provider that %s', async (_what, answer) => {
    const person = await newPerson(world);
    if (operation.begins === 'with keys') await storeKeys(ask, person);
    const former = await seenBy(ask, world, person);
    const callsBefore = world.calls.length;
    world.providers.answerNextWith(answer);
    const answered = await operation.run(ask, person);
    expect(callsOf(world, person, callsBefore)).toHaveLength(1);
    expect(callsOf(world, person, callsBefore)).not.toContain('foreign');

    const seen = await seenBy(ask, world, person);
    if (operation.name === 'save' || operation.name === 'replace') {
      // What the provider could not say about a key does not keep it from being saved.
      expect(answered.status).toBeLessThan(300);
      expect(seen).toMatchObject({ used: { openai: 'next' } });
    } else expect(seen).toEqual(former);
    expect(await faultsInStore(world.kv, world, person)).toEqual([]);
    expect((await operation.run(ask, person)).status, 'the next call works').toBeLessThan(300);
  });
});
