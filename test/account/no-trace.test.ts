/** An erasure must remove all stored data of a user, including data that future code adds. */
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allUserData } from '../../lib/account/account-data.ts';
import { routes } from '../../lib/routes.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey, userId } from '../support/user-ids.ts';
import { findTraces } from './store-dump.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const sub = 'auth0|leaver-4711';
let world: World;
let token: string;
/** The function that serves every route. */
let functions: HandlerModule;

beforeAll(async () => {
  world = await startWorld();
  token = await world.tokenFor(sub);
  functions = await import('../../api/userkeys.ts');
});
afterAll(() => world.close());

type Drive = (module: HandlerModule) => Promise<unknown>;
const get =
  (path: string): Drive =>
  (module) =>
    call(module, path, { token });
const post =
  (path: string, json: unknown): Drive =>
  (module) =>
    call(module, path, { method: 'POST', token, json });

/** Uses every route that can store data. A new route needs an entry here. */
const DRIVES: Readonly<Record<string, readonly Drive[]>> = {
  '/keys/:provider': [
    ...['openai', 'exa', 'gemini'].map(
      (provider): Drive =>
        (module) =>
          call(module, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: newProviderKey() } }),
    ),
    post('/api/keys/openai', undefined),
    get('/api/keys/openai'),
    (module) => call(module, '/api/keys/exa', { method: 'PUT', token, json: { key: 'refused-key-of-mine' } }),
  ],
  '/keys': [get('/api/keys')],
  '/onboarding': [
    get('/api/onboarding'),
    (module) =>
      call(module, '/api/onboarding', {
        method: 'PATCH',
        token,
        json: { step: 'api-keys', status: 'completed', data: { who: sub } },
      }),
  ],
  '/proxy/:provider/*': [
    get('/api/proxy/openai/v1/models'),
    post('/api/proxy/openai/v1/chat/completions', { model: 'm', messages: [] }),
    post('/api/proxy/openai/v1/chat/completions', { model: 'm', messages: [], stream: true }),
    get('/api/proxy/mistral/v1/models'),
  ],
  '/generate': [
    post('/api/generate', { provider: 'openai', prompt: 'Hello' }),
    post('/api/generate', { provider: 'gemini', prompt: 'Hello', stream: true }),
  ],
  '/search': [post('/api/search', { query: 'x' })],
  '/account': [get('/api/account')],
  '/cron/rotate': [(module) => call(module, '/api/cron/rotate', { token: world.env.CRON_SECRET ?? '' })],
  '/audit': [get('/api/audit')],
  '/usage': [get('/api/usage')],
  '/providers': [get('/api/providers')],
  '/health': [get('/api/health')],
};

test('after every route was used and the user was erased, no KV key, field or value but the mark mentions them', async () => {
  for (const { path } of routes) {
    expect(DRIVES, `${path} needs to be used here`).toHaveProperty([path]);
    for (const drive of DRIVES[path] ?? []) {
      const response = await drive(functions);
      if (response instanceof Response) await response.text();
    }
  }
  const traces = () => findTraces(world.kv, sub);
  await expect.poll(async () => (await traces()).join()).toContain(kvKey('used', sub));
  expect((await traces()).length).toBeGreaterThanOrEqual(4);
  expect((await call(functions, '/api/account', { method: 'DELETE', token })).status).toBe(204);
  expect(await traces()).toEqual([]);
});

test('every kind of KV key that lib/ names is erased', async () => {
  const entries = await readdir(join(ROOT, 'lib'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.ts'));
  const texts = await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')));
  const named = new Set(
    texts.flatMap((text) => [...text.matchAll(/ownerKey\(user, ['"`]?([\w]+)/g)].map(([, kind]) => kind)),
  );
  const erased = allUserData.flatMap(({ kvKeys }) => [...kvKeys(userId(sub), new Date())]);
  for (const key of erased) expect(key).toContain(sub);
  const start = kvKey('', sub);
  for (const key of erased) expect(key.startsWith(start)).toBe(true);
  const known = erased.map((key) => key.slice(start.length).split(':')[0]);
  // A kind that is named by a constant, and the mark of the erasure, which ends by itself.
  const others = ['kind', 'RECORDS_KIND', 'erased'];
  expect(named.size).toBeGreaterThan(others.length);
  expect([...named].filter((kind) => ![...known, ...others].includes(kind))).toEqual([]);
});
