/** Ten thousand overlapping requests of a hundred users in one process, from token to response. */
import { createServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { call as callFunction, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { createLegacyHandler, type LegacyHandler, withSaveSetRestore } from './legacy-handler.ts';

const REQUESTS = Number(process.env.OVERLAPPING_REQUESTS ?? 2_000);
/** Verification, key reads and provider calls run in batches; in the handler all requests overlap. */
const ENTERING_AT_A_TIME = 50;
const OUTGOING_AT_A_TIME = 200;

const users = Array.from({ length: 100 }, (_, index) => {
  return { name: `user-${index}`, key: newProviderKey('sk-user-'), token: '' };
});
const server = createServer((_request, response) => {
  response.write('one');
  setImmediate(() => response.end('two'));
});
let origin = '';
let world: World;

beforeAll(async () => {
  world = await startWorld();
  origin = `http://${LOOPBACK}:${await listen(server)}`;
  const endpoint: HandlerModule = await import('../../api/userkeys.ts');
  for (const user of users) {
    const { name, key } = user;
    // Ten thousand requests may take longer than the default token lifetime of one minute.
    user.token = await world.tokenFor(name, { exp: Math.floor(Date.now() / 1000) + 600 });
    const saving = { method: 'PUT', token: user.token, json: { key } };
    expect((await callFunction(endpoint, '/api/keys/openai', saving)).status).toBe(201);
  }
});
afterAll(async () => {
  await closeServer(server);
  await world.close();
});

let free = OUTGOING_AT_A_TIME;
const waiting: (() => void)[] = [];
async function callProvider(): Promise<Response> {
  if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
  else free -= 1;
  const response = await fetch(origin);
  const next = waiting.shift();
  if (next === undefined) free += 1;
  else next();
  return response;
}

/** The handler waits for its request body, so `open` decides when it continues. */
const legacy = createLegacyHandler(callProvider);

/** Waits until every request is in the handler before any continues, and counts reads of correct and wrong keys. */
async function overlap(wrap: (handler: LegacyHandler) => LegacyHandler) {
  let inHandler = 0;
  let open = () => {};
  const allAreIn = new Promise<void>((resolve) => {
    open = resolve;
  });
  let refuse = (_refusal: Error) => {};
  const refused = new Promise<never>((_resolve, reject) => {
    refuse = reject;
  });
  const handler = wrap((request) => {
    inHandler += 1;
    return legacy(request);
  });
  const ask = async (index: number) => {
    const user = users[index % users.length];
    const body = new ReadableStream({
      async start(controller) {
        await allAreIn;
        controller.close();
      },
    });
    const headers = { authorization: `Bearer ${user?.token}`, 'x-key': user?.key ?? '' };
    const init = { method: 'POST', headers, body, duplex: 'half' };
    const response = await handler(new Request('http://127.0.0.1/', init));
    if (response.status !== 200) refuse(new Error(await response.text()));
    const reads = (await response.text()).trimEnd().split('\n');
    return { expected: user?.key, reads };
  };
  const answers: ReturnType<typeof ask>[] = [];
  while (answers.length < REQUESTS) {
    for (let count = 0; count < ENTERING_AT_A_TIME; count += 1) answers.push(ask(answers.length));
    while (inHandler < answers.length) await Promise.race([nextTurn(), refused]);
  }
  open();
  let right = 0;
  let wrong = 0;
  for (const { expected, reads } of await Promise.all(answers)) {
    for (const read of reads) {
      if (read === expected) right += 1;
      else wrong += 1;
    }
  }
  return { right, wrong };
}

it('every read in every request returns the caller’s own key', { timeout: 180_000 }, async () => {
  const { withUserEnv } = await import('../../lib/process-env/with-user-env.ts');
  const { right, wrong } = await overlap((handler) => withUserEnv(handler));
  expect(wrong).toBe(0);
  expect(right).toBeGreaterThan(30 * REQUESTS);
});

it('the same handler with the old pattern of saving, setting and restoring reads other users’ keys', {
  timeout: 180_000,
}, async () => {
  const keyOf = (request: Request) => request.headers.get('x-key') ?? '';
  const { wrong } = await overlap((handler) => withSaveSetRestore(handler, keyOf));
  expect(wrong).toBeGreaterThan(REQUESTS);
});
