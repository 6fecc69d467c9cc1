/** Refused calls are counted against the rate limit, and no number of them removes other entries from the log. */
import { createClient } from '@vercel/kv';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEntry } from '../../lib/audit/audit-entry.ts';
import { type CallInit, call } from '../support/call.ts';
import { composeInWorld } from '../support/compose-in-world.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';

const MAX_ENTRIES = 8;
let world: World;
let service: ReturnType<typeof composeInWorld>;
/** The same service with a low rate limit. */
let limited: ReturnType<typeof composeInWorld>;
let store: ReturnType<typeof createClient>;
let users = 0;
let sub: string;
let token: string;

beforeAll(async () => {
  world = await startWorld({ env: { AUDIT_MAX_ENTRIES: String(MAX_ENTRIES) } });
  service = composeInWorld(world);
  limited = composeInWorld(world, { env: { RATE_LIMIT_PER_MINUTE: '1' } });
  store = createClient({ url: world.kv.url, token: world.kv.token, automaticDeserialization: false });
});
afterAll(() => world.close());
beforeEach(async () => {
  users += 1;
  sub = `refused-${users}`;
  token = await world.tokenFor(sub);
});

type Service = typeof service;
async function send(path: string, init: CallInit = {}, to: Service = service): Promise<Response> {
  const response = await call(to.functions, path, { token, ...init });
  await response.clone().text();
  await to.settled();
  return response;
}
const save = (key = newProviderKey()) => send('/api/keys/openai', { method: 'PUT', json: { key } });
async function readAll(): Promise<readonly AuditEntry[]> {
  return (await (await send('/api/audit?limit=1000')).json()).entries;
}
async function countedCalls(): Promise<number> {
  const names = await store.keys(`${kvKey('calls:*', sub)}`);
  const counts = await Promise.all(names.map((name) => store.get<string>(name)));
  return counts.reduce((sum, count) => sum + Number(count), 0);
}

/** One call of each kind that is refused, with the code of its answer. */
const REFUSED: readonly (readonly [code: string, path: string, init?: CallInit])[] = [
  ['path_refused', '/api/proxy/openai/%252e%252e/v1'],
  ['unknown_provider', '/api/proxy/nobody/v1/models'],
  ['unknown_provider', '/api/keys/nobody', { method: 'DELETE' }],
  ['unknown_provider', '/api/keys/nobody', { method: 'PUT', json: { key: newProviderKey() } }],
  ['unknown_provider', '/api/keys/nobody', { method: 'PATCH', json: { guards: {} } }],
  ['unknown_provider', '/api/keys/nobody', { method: 'POST' }],
  ['key_missing', '/api/proxy/exa/search', { method: 'POST', json: {} }],
  ['key_missing', '/api/search', { method: 'POST', json: { query: 'x' } }],
  ['key_missing', '/api/keys/exa', { method: 'POST' }],
  ['key_missing', '/api/keys/exa', { method: 'PATCH', json: { guards: { paused: true } } }],
  ['key_missing', '/api/keys/copilotkit'],
  ['key_rejected', '/api/keys/exa', { method: 'PUT', json: { key: 'refused-0123456789-0123456789' } }],
  ['invalid_request', '/api/generate', { method: 'POST', json: { wrong: 1 } }],
  ['invalid_request', '/api/keys/openai', { method: 'PUT', json: { wrong: 1 } }],
  ['invalid_request', '/api/keys/openai', { method: 'PATCH', json: { guards: { callsPerDay: -1 } } }],
  ['invalid_json', '/api/search', { method: 'POST', body: '{' }],
  ['model_not_allowed', '/api/proxy/openai/v1/models'],
  [
    'model_not_allowed',
    '/api/proxy/openai/v1/chat/completions',
    { method: 'POST', json: { model: 'gpt-b' } },
  ],
];

test('a flood of refusals of every kind leaves earlier security events and earlier uses readable', async () => {
  await save();
  await send('/api/proxy/openai/v1/models');
  await send('/api/keys/openai', { method: 'PATCH', json: { guards: { models: ['gpt-a'] } } });
  const before = await readAll();
  expect(before.map(({ action }) => action).sort()).toEqual(['guard', 'save', 'use']);

  const outcomes = new Set<string>();
  for (let round = 0; round < 3; round += 1) {
    for (const [code, path, init] of REFUSED) {
      const response = await send(path, init);
      expect([path, response.headers.get('x-userkeys-error')]).toEqual([path, code]);
      outcomes.add(code);
    }
    for (const path of ['/api/proxy/openai/v1/models', '/api/keys/nobody']) {
      await send(path, { method: 'DELETE' }, limited);
    }
  }
  await send('/api/proxy/openai/v1/models', {}, limited);
  const after = await readAll();
  for (const entry of before) expect(after).toContainEqual(entry);
  // Nothing but the refusals was added.
  expect(after.filter(({ outcome }) => outcome === 'ok' || outcome === 'interrupted')).toHaveLength(
    before.length,
  );
  expect(after.length).toBeLessThanOrEqual(before.length + MAX_ENTRIES);
  expect(outcomes.size).toBeGreaterThanOrEqual(7);
});

test('equal refusals of an hour are one entry with their number and the time of the first', async () => {
  const times = 40;
  await send('/api/proxy/openai/%252e%252e/v1');
  const [first] = await readAll();
  expect(first).toMatchObject({ outcome: 'path_refused', count: 1, since: null });
  await Promise.all(Array.from({ length: times - 1 }, () => send('/api/proxy/openai/%252e%252e/v1')));
  await send('/api/proxy/exa/%252e%252e/v1');
  const [other, merged, ...rest] = await readAll();
  expect(rest).toEqual([]);
  expect(other).toMatchObject({ provider: 'exa', count: 1 });
  expect(merged).toMatchObject({
    action: 'use',
    route: null,
    provider: 'openai',
    outcome: 'path_refused',
    status: 400,
    count: times,
    since: first?.time,
  });
  const csv = await (await send('/api/audit?format=csv')).text();
  expect(csv.split('\r\n')[0]).toMatch(/,count,since$/);
  expect(csv.split('\r\n')[2]).toContain(`,${times},${first?.time}`);
});

test('the next hour begins an entry of its own', async () => {
  const hourMs = 3_600_000;
  let nowMs = Math.ceil(Date.now() / hourMs) * hourMs - 60_000;
  const later = composeInWorld(world, { clock: () => new Date(nowMs) });
  const refuse = async () => {
    const iat = Math.floor(nowMs / 1000);
    token = await world.tokenFor(sub, { iat, exp: iat + 600 });
    await send('/api/proxy/openai/%252e%252e/v1', {}, later);
  };
  for (const minutes of [0, 0, 2, 2]) {
    await refuse();
    nowMs += minutes * 60_000;
  }
  const key = kvKey('refusals', sub);
  expect(await store.xlen(key)).toBe(2);
});

describe('a refused call of a verified user counts once against the rate limit', () => {
  test.each(REFUSED.map(([code, path, init]) => ({ code, path, init })))(
    '$code $path',
    async ({ path, init }) => {
      await send(path, init);
      expect(await countedCalls()).toBe(1);
    },
  );

  test('so that refusals end in 429', async () => {
    const service5 = composeInWorld(world, { env: { RATE_LIMIT_PER_MINUTE: '5' } });
    const statuses: number[] = [];
    for (let index = 0; index < 8; index += 1) {
      statuses.push((await send('/api/proxy/openai/%252e%252e/v1', {}, service5)).status);
    }
    expect(statuses).toEqual([400, 400, 400, 400, 400, 429, 429, 429]);
    expect(await countedCalls()).toBe(8);
  });

  test('and one whose caller is not verified counts for nobody', async () => {
    const [header, payload] = token.split('.');
    const forged = `${header}.${payload}.AAAA`;
    for (const path of ['/api/proxy/openai/%252e%252e/v1', '/api/keys', '/api/proxy/nobody/x']) {
      expect((await send(path, { token: forged })).status).toBe(401);
    }
    expect(await countedCalls()).toBe(0);
  });
});
