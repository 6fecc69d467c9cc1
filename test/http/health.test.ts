/** Anybody may ask for the health of a deployment as often as they like. */
import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { HEALTH_LIFETIME_MS } from '../../lib/limits.ts';
import { call } from '../support/call.ts';
import { composeInWorld } from '../support/compose-in-world.ts';
import { startWorld, type World } from '../support/start-world.ts';

let world: World;
let nowMs = Date.now();
const clock = () => new Date(nowMs);

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

test('any number of callers cause one request to the store, until its answer is three seconds old', async () => {
  const { functions } = composeInWorld(world, { clock });
  const health = () => call(functions, '/api/health');
  const before = world.kv.requests.length;
  const responses = await Promise.all(Array.from({ length: 50 }, health));
  for (const response of responses) expect(await response.json()).toMatchObject({ status: 'ok', kv: 'ok' });
  expect(world.kv.requests.length - before).toBe(1);
  nowMs += HEALTH_LIFETIME_MS - 1;
  await health();
  expect(world.kv.requests.length - before).toBe(1);
  nowMs += 1;
  await health();
  expect(world.kv.requests.length - before).toBe(2);
});

test('a store that recovers is reported as soon', async () => {
  let isDown = true;
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    request.resume().on('end', () => {
      if (isDown) response.writeHead(500).end();
      else response.end('[{"result":null},{"result":0}]');
    });
  });
  onTestFinished(() => closeServer(server));
  const url = `http://${LOOPBACK}:${await listen(server)}`;
  const { functions } = composeInWorld(world, { env: { KV_REST_API_URL: url }, clock });
  const statuses = await Promise.all(
    Array.from({ length: 10 }, async () => (await call(functions, '/api/health')).status),
  );
  expect(new Set(statuses)).toEqual(new Set([503]));
  expect(requests).toBe(1);
  isDown = false;
  nowMs += HEALTH_LIFETIME_MS;
  expect((await call(functions, '/api/health')).status).toBe(200);
});
