import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { startWorld, type World } from '../support/start-world.ts';

let world: World;
let keys: HandlerModule;
const LIMIT = 10;
/** The start of a minute, so that a series of calls does not span two minutes. */
const MINUTE = Math.ceil(Date.now() / 60_000) * 60_000;

beforeAll(async () => {
  world = await startWorld({ env: { RATE_LIMIT_PER_MINUTE: String(LIMIT) } });
  keys = await import('../../api/userkeys.ts');
});
afterAll(() => world.close());
afterEach(() => vi.useRealTimers());

const at = (secondsIn: number) => vi.useFakeTimers({ toFake: ['Date'], now: MINUTE + secondsIn * 1000 });
async function callAs(sub: string): Promise<Response> {
  return call(keys, '/api/keys', { token: await world.tokenFor(sub) });
}
async function passed(sub: string, calls: number): Promise<number> {
  const responses = await Promise.all(Array.from({ length: calls }, () => callAs(sub)));
  return responses.filter(({ status }) => status === 200).length;
}

test('of concurrent calls, exactly as many pass as the limit allows', async () => {
  at(1);
  expect(await passed('many', 3 * LIMIT)).toBe(LIMIT);
});

test('a refused call is a 429 with Retry-After and the RateLimit fields', async () => {
  at(0);
  await passed('told', LIMIT);
  const response = await callAs('told');
  expect(response.status).toBe(429);
  expect(await response.json()).toMatchObject({ code: 'rate_limited' });
  const wait = Number(response.headers.get('retry-after'));
  expect(response.headers.get('ratelimit-policy')).toBe(`"per-user";q=${LIMIT};w=60`);
  expect(response.headers.get('ratelimit')).toBe(`"per-user";r=0;t=${wait}`);
  at(wait);
  expect((await callAs('told')).status).toBe(200);
});

test('one second before the end of Retry-After a call is still refused', async () => {
  at(0);
  await passed('early', LIMIT);
  const wait = Number((await callAs('early')).headers.get('retry-after'));
  at(wait - 2);
  expect((await callAs('early')).status).toBe(429);
});

test('the window slides: the previous minute counts by the share that is less than a minute old', async () => {
  at(0);
  await passed('sliding', LIMIT);
  at(60 + 30);
  expect(await passed('sliding', LIMIT)).toBe(LIMIT / 2);
});

test('users do not share a limit', async () => {
  at(1);
  await passed('greedy', 2 * LIMIT);
  expect((await callAs('other')).status).toBe(200);
});

test('calls are counted in the KV request that reads the keys, and counters expire', async () => {
  const before = world.kv.requests.length;
  await callAs('counted');
  const sent = world.kv.requests.slice(before);
  expect(sent).toHaveLength(1);
  const names = sent[0]?.map(([name]) => name?.toUpperCase());
  expect(names).toEqual(['INCR', 'EXPIRE', 'GET', 'EXISTS', 'EXISTS', 'HMGET', 'HMGET', 'HMGET', 'HMGET']);
});
