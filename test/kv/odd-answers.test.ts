/** An answer of the store that has an unexpected shape is an outage, never "no keys", "rate limited" or "nothing to rotate". */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import { runUserkeys } from '../cli/run-userkeys.ts';
import { connect, fillStore, ringOf } from '../rotation/fill-store.ts';
import { call } from '../support/call.ts';
import { type Distort, startOddStore } from '../support/odd-store.ts';
import { serveApp } from '../support/serve-app.ts';
import { newMasterKey, newProviderKey, startWorld, TEST_TENANT, type World } from '../support/start-world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const toObject = (words: readonly unknown[]) =>
  Object.fromEntries(
    words.flatMap((word, index) => (index % 2 === 0 ? [[String(word), words[index + 1]]] : [])),
  );

/** Applies a change to a value and to everything in it. */
const deep = (change: (value: unknown) => unknown, value: unknown): unknown =>
  Array.isArray(value) ? value.map((item) => deep(change, item)) : change(value);

/** A shorter list of stream entries is a shorter log, which no reader can tell from the real one. */
const hasAnyLength = (command: string) => command === 'XREVRANGE';

const distortions: Readonly<Record<string, Distort>> = {
  'maps as objects': (result, command) =>
    command === 'HGETALL' && Array.isArray(result) ? toObject(result) : result,
  'every list as an object': (result) => (Array.isArray(result) ? toObject(result) : result),
  'null for everything': () => null,
  'null for numbers': (result) => deep((value) => (typeof value === 'number' ? null : value), result),
  'strings for numbers': (result) =>
    deep((value) => (typeof value === 'number' ? String(value) : value), result),
  'numbers with fractions': (result) =>
    deep((value) => (typeof value === 'number' ? value + 0.5 : value), result),
  'errors inside of lists': (result) =>
    Array.isArray(result) ? [{ error: 'ERR' }, ...result.slice(1)] : result,
  'lists that are too short': (result, command) =>
    Array.isArray(result) && result.length > 0 && !hasAnyLength(command) ? result.slice(1) : result,
  'lists that are too long': (result) => (Array.isArray(result) ? [...result, 'more'] : result),
  'an empty list for every list': (result, command) =>
    Array.isArray(result) && result.length > 0 && !hasAnyLength(command) ? [] : result,
  'one string for everything': () => 'OK',
};

const requests: readonly [method: string, path: string, json?: unknown][] = [
  ['GET', '/api/keys'],
  ['GET', '/api/keys/openai'],
  ['PUT', '/api/keys/openai', { key: newProviderKey() }],
  ['POST', '/api/keys/openai'],
  ['PATCH', '/api/keys/openai', { guards: { callsPerDay: 1000 } }],
  ['GET', '/api/onboarding'],
  ['PATCH', '/api/onboarding', { step: 'api-keys', status: 'completed' }],
  ['GET', '/api/proxy/openai/v1/models'],
  ['POST', '/api/generate', { prompt: 'Hello' }],
  ['POST', '/api/search', { query: 'x' }],
  ['GET', '/api/audit'],
  ['GET', '/api/usage'],
  ['GET', '/api/account'],
  ['GET', '/api/health'],
  ['GET', '/api/cron/rotate'],
  ['DELETE', '/api/onboarding'],
  ['DELETE', '/api/account'],
  ['DELETE', '/api/keys/openai'],
  ['DELETE', '/api/keys'],
];

describe.each(Object.entries(distortions))('a store that answers with %s', (name, distort) => {
  test.each(requests)('fails %s %s as unavailable', async (method, path, json) => {
    const sub = `odd ${name} ${method} ${path}`;
    const token = path === '/api/cron/rotate' ? (world.env.CRON_SECRET ?? '') : await world.tokenFor(sub);
    const send = createUndiciSend();
    const plain = serveApp(composeApp(loadConfig(), { send, after: () => {} }));
    const userToken = await world.tokenFor(sub);
    for (const provider of ['openai', 'exa', 'gemini']) {
      const saved = await call(plain, `/api/keys/${provider}`, {
        method: 'PUT',
        token: userToken,
        json: { key: newProviderKey() },
      });
      expect(saved.status).toBe(201);
    }

    const odd = await startOddStore(world.kv, distort);
    onTestFinished(() => odd.close());
    const app = composeApp(loadConfig({ ...world.env, KV_REST_API_URL: odd.url }), { send, after: () => {} });
    const providerCalls = world.calls.length;
    const response = await call(serveApp(app), path, { method, token, ...(json ? { json } : {}) });
    const answer = await response.text();
    if (odd.changedRequests() === 0) {
      expect(response.status).toBeLessThan(300);
      return;
    }
    expect(response.status, answer).toBe(503);
    if (path !== '/api/health') expect(JSON.parse(answer)).toMatchObject({ code: 'store_unavailable' });
    if (/proxy|generate|search/.test(path)) expect(world.calls).toHaveLength(providerCalls);
  });

  test('stops `userkeys rotate` with an error and no word about keys that can be removed', async () => {
    const [current, former] = [newMasterKey('current'), newMasterKey('former')];
    await fillStore(connect(world.kv), await ringOf(former), [`rotated ${name}`], ['openai'], () => 'key');
    const odd = await startOddStore(world.kv, distort);
    onTestFinished(() => odd.close());
    const ran = await runUserkeys(['rotate'], {
      KV_REST_API_URL: odd.url,
      KV_REST_API_TOKEN: odd.token,
      VAULT_KEYS: `${current},${former}`,
      AUTH_TENANT: TEST_TENANT,
    });
    expect(odd.changedRequests()).toBeGreaterThan(0);
    expect(ran).toMatchObject({ code: 1 });
    expect(ran.text).toContain('store_answer_unexpected');
    expect(ran.text).not.toMatch(/remov|not needed|no record/i);
  });
});

test('a store that hides the fields of hashes stops `userkeys rotate` too', async () => {
  const [current, former] = [newMasterKey('current'), newMasterKey('former')];
  await fillStore(connect(world.kv), await ringOf(former), ['hidden'], ['openai'], () => 'key');
  const odd = await startOddStore(world.kv, (result, command) => (command === 'HGETALL' ? [] : result));
  onTestFinished(() => odd.close());
  const ran = await runUserkeys(['rotate'], {
    KV_REST_API_URL: odd.url,
    KV_REST_API_TOKEN: odd.token,
    VAULT_KEYS: `${current},${former}`,
    AUTH_TENANT: TEST_TENANT,
  });
  expect(ran).toMatchObject({ code: 1 });
  expect(ran.text).not.toMatch(/remov|not needed|no record/i);
});
