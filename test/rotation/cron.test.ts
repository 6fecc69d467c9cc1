import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertScheduler } from '../../lib/handlers/rotate.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newMasterKey, newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { connect, fillStore, ringOf } from './fill-store.ts';

const PATH = '/api/cron/rotate';
const [oldKey, newKey] = [newMasterKey('k1'), newMasterKey('k2')];
let world: World;
let cron: HandlerModule;
let secret: string;

beforeAll(async () => {
  world = await startWorld({ env: { VAULT_KEYS: `${newKey},${oldKey}` } });
  secret = world.env.CRON_SECRET ?? '';
  cron = await import('../../api/rotate.ts');
  await fillStore(connect(world.kv), await ringOf(oldKey), ['a', 'b'], ['exa'], () => newProviderKey());
});
afterAll(() => world.close());

describe('GET /api/cron/rotate refuses', () => {
  test.each<[string, () => Promise<Readonly<Record<string, string>>>, string]>([
    ['without a token', async () => ({}), 'token_missing'],
    ['with an empty token', async () => ({ authorization: 'Bearer ' }), 'token_missing'],
    ['with another scheme', async () => ({ authorization: `Basic ${secret}` }), 'token_missing'],
    ['with another secret', async () => ({ authorization: `Bearer ${secret}x` }), 'token_invalid'],
    [
      'with part of the secret',
      async () => ({ authorization: `Bearer ${secret.slice(1)}` }),
      'token_invalid',
    ],
    [
      'with the secret in a different case',
      async () => ({ authorization: `Bearer ${swapCase()}` }),
      'token_invalid',
    ],
    [
      'with a user’s token',
      async () => ({ authorization: `Bearer ${await world.tokenFor('a')}` }),
      'token_invalid',
    ],
  ])('a call %s, and changes nothing', async (_who, headers, code) => {
    world.kv.requests.length = 0;
    const response = await call(cron, PATH, { headers: await headers() });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code });
    expect(text).not.toContain(secret);
    expect(world.kv.requests).toEqual([]);
  });

  test('every call if CRON_SECRET is not set', () => {
    for (const token of ['', 'undefined', 'null', secret]) {
      const request = new Request(`http://127.0.0.1${PATH}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(() => assertScheduler(request, undefined)).toThrow();
    }
  });
});

function swapCase(): string {
  return [...secret]
    .map((letter) => (letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()))
    .join('');
}

test('the scheduler’s call rotates and reports its progress', async () => {
  const answer = async () => (await call(cron, PATH, { token: secret })).json();
  expect(await answer()).toMatchObject({
    outcome: 'finished',
    currentKid: 'k2',
    running: null,
    last: { target: 'k2', users: 2, resealed: 2, unreadable: 0, found: { k1: 2 }, left: { k2: 2 } },
  });
  expect(await answer()).toMatchObject({ outcome: 'finished', last: { resealed: 0, found: { k2: 2 } } });
  expect(await answer()).toMatchObject({ outcome: 'idle' });
});

test('other methods are 405', async () => {
  const response = await call(cron, PATH, { method: 'POST', token: secret });
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
});

test('vercel.json schedules it as often as every Vercel plan allows', async () => {
  const { crons } = JSON.parse(await readFile('vercel.json', 'utf8'));
  expect(crons).toEqual([{ path: PATH, schedule: expect.stringMatching(/^\d{1,2} \d{1,2} \* \* \*$/) }]);
});
