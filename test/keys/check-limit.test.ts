/** Saving and checking keys has a limit of its own, because each save and each check calls a provider. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { providerIds } from '../../lib/providers/catalogue.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let functions: HandlerModule;
let token: string;
let count = 0;
/** A quarter of the limit of all calls. */
const LIMIT = 30;
const MINUTE = Date.parse('2031-03-04T12:00:00Z');

beforeAll(async () => {
  world = await startWorld({ env: { RATE_LIMIT_PER_MINUTE: '120' } });
  functions = await import('../../api/userkeys.ts');
});
afterAll(() => world.close());
beforeEach(async () => {
  at(1);
  count += 1;
  const now = MINUTE / 1000;
  token = await world.tokenFor(`saver-${count}`, { iat: now, exp: now + 60 * 60 });
  world.providers.reset();
});
afterEach(() => vi.useRealTimers());

const at = (secondsIn: number) => vi.useFakeTimers({ toFake: ['Date'], now: MINUTE + secondsIn * 1000 });
const send = (method: string, path: string, json?: unknown) =>
  call(functions, path, { method, token, ...(json === undefined ? {} : { json }) });
const save = (provider = 'openai') => send('PUT', `/api/keys/${provider}`, { key: newProviderKey() });
const check = () => send('POST', '/api/keys/openai');

test('of 60 simultaneous saves of one key 30 are stored, and only those call the provider', async () => {
  const first = world.kv.requests.length;
  const responses = await Promise.all(Array.from({ length: 60 }, () => save()));
  const requests = world.kv.requests
    .slice(first)
    .filter((commands) => !commands.flat().join().includes('XADD'));
  expect(responses.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(responses.filter(({ status }) => status === 200)).toHaveLength(LIMIT - 1);
  expect(responses.filter(({ status }) => status === 429)).toHaveLength(60 - LIMIT);
  expect(world.calls).toHaveLength(LIMIT);
  // One request for each call, and a second one for each save that was stored: none is tried again.
  expect(requests).toHaveLength(60 + LIMIT);
  expect(await (await send('GET', '/api/keys/openai')).json()).toMatchObject({ version: LIMIT });
});

test('a refusal says that it is about saving and checking, and when to try again', async () => {
  for (let saves = 0; saves < LIMIT; saves += 1) await save();
  const response = await save();
  expect(response.status).toBe(429);
  expect(response.headers.get('ratelimit-policy')).toBe(`"key-checks";q=${LIMIT};w=60`);
  expect(await response.json()).toMatchObject({
    code: 'rate_limited',
    detail: expect.stringContaining('saving and checking keys'),
  });
  at(Number(response.headers.get('retry-after')) + 1);
  expect((await save()).status).toBe(200);
});

test('checks count with saves, other calls do not', async () => {
  for (let saves = 0; saves < LIMIT - 1; saves += 1) await save();
  expect((await check()).status).toBe(200);
  expect((await check()).status).toBe(429);
  expect((await send('GET', '/api/keys/openai')).status).toBe(200);
  expect((await send('PATCH', '/api/keys/openai', { guards: { callsPerDay: 1 } })).status).toBe(200);
  expect((await send('DELETE', '/api/keys/openai')).status).toBe(204);
});

test('a key of every provider can be saved within a minute', async () => {
  expect(providerIds.length).toBeLessThanOrEqual(LIMIT);
  const responses = await Promise.all(providerIds.map(save));
  expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([201]));
});

test('users do not share the limit', async () => {
  for (let saves = 0; saves <= LIMIT; saves += 1) await save();
  const now = MINUTE / 1000;
  token = await world.tokenFor('another', { iat: now, exp: now + 60 * 60 });
  expect((await save()).status).toBe(201);
});
