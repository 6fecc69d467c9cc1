/** A provider that fails in the middle of a save, a check or a call. */
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, hang, json, reset, resetMidway, stall } from '../support/answers.ts';
import { startWorld, type World } from '../support/start-world.ts';
import { composeAsk, impatientSend } from './compose-ask.ts';
import { type Ask, callsOf, newPerson, operations, seenBy, storeKeys } from './person.ts';
import { faultsInStore } from './store-invariants.ts';

let world: World;
let ask: Ask;

beforeAll(async () => {
  world = await startWorld();
  ask = composeAsk(world.kv.url, { send: impatientSend() });
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
