/** Code in a scope cannot enumerate this project's own secrets. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inspect, promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { OWN_SECRET_VARIABLES, SHARED_SECRET_VARIABLES } from '../../lib/secret-variables.ts';
import { startWorld, type World } from '../support/start-world.ts';

const secrets = [...OWN_SECRET_VARIABLES, ...SHARED_SECRET_VARIABLES];
/** The names look like secrets and are none: a public key, and the address of a key in AWS KMS. */
const PUBLIC_VARIABLES = new Set(['AUTH_PUBLIC_KEY', 'AUTH_MAX_TOKEN_HOURS', 'VAULT_KMS_KEY']);
let world: World;
let withUserEnv: typeof import('../../lib/process-env/with-user-env.ts').withUserEnv;
const values = new Map<string, string>();

beforeAll(async () => {
  world = await startWorld();
  ({ withUserEnv } = await import('../../lib/process-env/with-user-env.ts'));
  // The configuration is loaded now. What is set from here on belongs to the app.
  await inScope(() => null);
  for (const name of secrets) {
    process.env[name] ??= randomBytes(24).toString('base64url');
    values.set(name, process.env[name]);
  }
});
afterAll(async () => {
  for (const name of secrets) if (world.env[name] === undefined) delete process.env[name];
  await world.close();
});

/** What the code of a wrapped handler returns, as JSON. */
async function inScope(code: () => unknown): Promise<unknown> {
  const headers = { authorization: `Bearer ${await world.tokenFor('anna')}` };
  const handler = withUserEnv(async () => Response.json((await code()) ?? null));
  const response = await handler(new Request('http://127.0.0.1/api/legacy', { headers }));
  expect(response.status).toBe(200);
  return response.json();
}

it.each<[string, () => unknown]>([
  ['JSON.stringify', () => JSON.stringify(process.env)],
  ['a spread', () => ({ ...process.env })],
  ['Object.entries', () => Object.entries(process.env)],
  ['Reflect.ownKeys', () => Reflect.ownKeys(process.env)],
  ['util.inspect', () => inspect(process.env, { showHidden: true, showProxy: true })],
  [
    'for … in',
    () => {
      const seen: string[] = [];
      for (const name in process.env) seen.push(name, String(process.env[name]));
      return seen;
    },
  ],
  [
    'for … in, after an assignment',
    () => {
      process.env.ORDINARY = 'changed';
      const seen: string[] = [];
      for (const name in process.env) seen.push(name, String(process.env[name]));
      return seen;
    },
  ],
  [
    'a copy after an assignment to one of them',
    () => {
      process.env.REDIS_URL = process.env.KV_REST_API_TOKEN;
      return { ...process.env };
    },
  ],
  ['a child process', async () => (await promisify(execFile)('env')).stdout],
  ['a child process in a shell', async () => (await promisify(execFile)('sh', ['-c', 'env'])).stdout],
])('%s shows none of them', async (_name, list) => {
  const seen = JSON.stringify(await inScope(list));
  expect(seen).toContain('AUTH_ISSUER');
  for (const [name, value] of values) {
    expect(seen).not.toContain(value);
    expect(seen).not.toMatch(new RegExp(`\\b${name}\\b`));
  }
});

it('those that only this project uses cannot be read by name either', async () => {
  const seen = await inScope(() =>
    OWN_SECRET_VARIABLES.flatMap((name) => [process.env[name] ?? null, name in process.env]),
  );
  expect(seen).toEqual(OWN_SECRET_VARIABLES.flatMap(() => [null, false]));
});

it('those that an app may use too can be read by name, also from a replaced environment', async () => {
  const read = () =>
    SHARED_SECRET_VARIABLES.map((name) =>
      Object.hasOwn(process.env, name) && name in process.env ? process.env[name] : null,
    );
  const expected = SHARED_SECRET_VARIABLES.map((name) => values.get(name));
  expect(await inScope(read)).toEqual(expected);
  expect(
    await inScope(() => {
      process.env = { ...process.env, ORDINARY: 'changed' };
      return [...read(), JSON.stringify(process.env).includes(values.get('KV_REST_API_TOKEN') ?? '')];
    }),
  ).toEqual([...expected, false]);
});

it('an app can change one of them for its request', async () => {
  const seen = await inScope(() => {
    process.env.REDIS_URL = 'redis://another.example';
    return process.env.REDIS_URL;
  });
  expect(seen).toBe('redis://another.example');
  expect(process.env.REDIS_URL).toBe(values.get('REDIS_URL'));
});

it('outside a scope they are as they were', () => {
  for (const [name, value] of values) expect({ ...process.env }[name]).toBe(value);
});

it('every secret of .env.example is hidden', () => {
  const documented = readFileSync('.env.example', 'utf8').matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm);
  const named = Array.from(documented, ([, name = '']) => name).filter(
    (name) =>
      /SECRET|TOKEN|PASSWORD|CREDENTIAL|_KEYS?(_|$)|^(KV|REDIS)_URL$/.test(name) &&
      !PUBLIC_VARIABLES.has(name),
  );
  expect(named).toContain('VAULT_KEYS');
  expect(secrets).toEqual(expect.arrayContaining(named));
});
