/** Ten thousand overlapping requests of a hundred users in one process. */
import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { respondInScope } from '../../lib/process-env/scoped-response.ts';
import { newProviderKey } from '../support/start-world.ts';
import { createLegacyHandler, type LegacyHandler, withSavedSetRestored } from './legacy-handler.ts';
import { openScope } from './open-scope.ts';

const REQUESTS = 10_000;
/** As many as a machine's file descriptors allow; the requests themselves all overlap. */
const OUTGOING_AT_A_TIME = 200;
const keys = Array.from({ length: 100 }, () => newProviderKey('sk-user-'));
const keyOf = (request: Request) => keys[Number(request.headers.get('x-user'))] ?? '';

const server = createServer((_request, response) => {
  response.write('one');
  setImmediate(() => response.end('two'));
});
let origin = '';

beforeAll(async () => {
  origin = `http://${LOOPBACK}:${await listen(server)}`;
});
afterAll(() => closeServer(server));

let free = OUTGOING_AT_A_TIME;
const waiting: (() => void)[] = [];
async function call(): Promise<Response> {
  if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
  else free -= 1;
  const response = await fetch(origin);
  const next = waiting.shift();
  if (next === undefined) free += 1;
  else next();
  return response;
}

const legacy = createLegacyHandler(call);

/** Starts all requests before any of them goes on, and counts the reads that gave right and wrong keys. */
async function overlap(handler: LegacyHandler) {
  let open = () => {};
  const allStarted = new Promise<void>((resolve) => {
    open = resolve;
  });
  const answers = Array.from({ length: REQUESTS }, async (_, index) => {
    const held = new ReadableStream({
      async start(controller) {
        await allStarted;
        controller.close();
      },
    });
    const init = {
      method: 'POST',
      headers: { 'x-user': `${index % keys.length}` },
      body: held,
      duplex: 'half',
    };
    const response = await handler(new Request(origin, init));
    const reads = (await response.text()).trimEnd().split('\n');
    return { expected: keys[index % keys.length], reads };
  });
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

it('every read of every request gives the caller’s own key', { timeout: 120_000 }, async () => {
  const { right, wrong } = await overlap((request) =>
    respondInScope(openScope({ OPENAI_API_KEY: keyOf(request) }), () => legacy(request)),
  );
  expect(wrong).toBe(0);
  expect(right).toBeGreaterThan(30 * REQUESTS);
});

it('the same handler under save, set and restore reads other users’ keys', { timeout: 120_000 }, async () => {
  const { wrong } = await overlap(withSavedSetRestored(legacy, keyOf));
  expect(wrong).toBeGreaterThan(REQUESTS);
});
