/** What a mode means to two users: on a deployment neither the file nor the environment joins what belongs to one of them. */
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

const operators = newProviderKey('operator-');
let world: World;
let envFile: string;
let functions: HandlerModule;
let withUserEnv: typeof import('../../lib/process-env/with-user-env.ts').withUserEnv;

beforeAll(async () => {
  // Nothing but what a test adds says which mode this is.
  world = await startWorld({ env: { DEPLOY_ENV: '', OPENAI_API_KEY: operators } });
  envFile = world.env.ENV_FILE ?? '';
});
afterAll(() => world.close());
beforeEach(() => vi.resetModules());
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(envFile, { force: true });
});

/** Starts the functions with these variables, as a new process would. */
async function start(env: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  functions = (await import('../../lib/serve.ts')).serve();
  ({ withUserEnv } = await import('../../lib/process-env/with-user-env.ts'));
}

async function save(user: string): Promise<string> {
  const key = newProviderKey();
  const token = await world.tokenFor(user);
  const saved = await call(functions, '/api/keys/openai', { method: 'PUT', token, json: { key } });
  expect(saved.status).toBe(201);
  return key;
}

/** What the gateway answers this user. */
async function proxy(user: string | undefined): Promise<Response> {
  const token = user === undefined ? {} : { token: await world.tokenFor(user) };
  return call(functions, '/api/proxy/openai/v1/models', token);
}

/** What a wrapped handler reads for this user. */
async function legacy(user: string | undefined): Promise<Response> {
  const handler = withUserEnv(() => Response.json(process.env.OPENAI_API_KEY ?? null));
  const headers = user === undefined ? {} : { authorization: `Bearer ${await world.tokenFor(user)}` };
  return handler(new Request('http://127.0.0.1/', { headers }));
}

describe('with a variable that shows a deployment, a key is neither written to .env nor used for another user', () => {
  test.each<[name: string, value: string]>([
    ['RENDER', 'true'],
    ['RAILWAY_ENVIRONMENT', 'production'],
    ['FLY_APP_NAME', 'app'],
    ['K_SERVICE', 'service'],
    ['KUBERNETES_SERVICE_HOST', '10.0.0.1'],
    ['DYNO', 'web.1'],
    ['WEBSITE_INSTANCE_ID', 'a1'],
    ['ECS_CONTAINER_METADATA_URI_V4', 'http://169.254.170.2/v4/a1'],
    ['AWS_LAMBDA_FUNCTION_NAME', 'function'],
    ['LAMBDA_TASK_ROOT', '/var/task'],
    ['VERCEL', '1'],
    ['VERCEL_ENV', 'preview'],
    ['NODE_ENV', 'production'],
    ['DEPLOY_ENV', 'my-server'],
  ])('%s=%s', async (name, value) => {
    await start({ [name]: value, ...(name === 'DEPLOY_ENV' ? {} : { DEBUG: 'true' }) });
    // As if an operator had deployed the file of a developer.
    await writeFile(envFile, `OPENAI_API_KEY=${operators}\n`);
    const [alice, bob] = [`alice_${name}`, `bob_${name}`];
    const key = await save(alice);
    expect(await readFile(envFile, 'utf8')).toBe(`OPENAI_API_KEY=${operators}\n`);

    const before = world.calls.length;
    const refused = await proxy(bob);
    expect([refused.status, await refused.json()]).toEqual([
      403,
      expect.objectContaining({ code: 'key_missing' }),
    ]);
    expect(world.calls.length).toBe(before);
    expect((await proxy(alice)).status).toBe(200);
    expect(world.calls.at(-1)?.credential).toBe(key);

    expect(await (await legacy(alice)).json()).toBe(key);
    expect(await (await legacy(bob)).json()).toBeNull();
  });
});

test.each([{}, { DEPLOY_ENV: 'my-server' }])(
  'a wrapped handler does not run without a token, in either mode: %j',
  async (env) => {
    await start(env);
    for (const answer of [await legacy(undefined), await proxy(undefined)]) {
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ code: 'token_missing' });
    }
    const handler = withUserEnv(() => expect.unreachable());
    const headers = { authorization: `Bearer ${world.issuer.unsigned('alice')}` };
    expect((await handler(new Request('http://127.0.0.1/', { headers }))).status).toBe(401);
  },
);

test('in local mode a wrapped handler reads .env first, then the caller’s stored key, never the environment', async () => {
  await start({});
  const key = await save('developer');
  expect(await readFile(envFile, 'utf8')).toBe(`OPENAI_API_KEY=${key}\n`);
  const edited = newProviderKey('edited-');
  await writeFile(envFile, `OPENAI_API_KEY=${edited}\n`);
  expect(await (await legacy('somebody_else')).json()).toBe(edited);
  await rm(envFile);
  expect(await (await legacy('developer')).json()).toBe(key);
  expect(await (await legacy('somebody_else')).json()).toBeNull();
  expect(process.env.OPENAI_API_KEY).toBe(operators);
});

test.each<[Readonly<Record<string, string>>, string]>([
  [{ DEPLOY_ENV: 'my-server', DEBUG: 'true' }, 'DEPLOY_ENV'],
  [{ KV_REST_API_URL: 'https://kv.example' }, 'set DEPLOY_ENV for a deployment'],
])('with %j no function answers, and the wrapped handler does not run', async (env, detail) => {
  await start(env);
  for (const answer of [await proxy('alice'), await legacy('alice')]) {
    expect([answer.status, await answer.json()]).toEqual([
      500,
      expect.objectContaining({ code: 'not_configured', detail: expect.stringContaining(detail) }),
    ]);
  }
  expect(existsSync(envFile)).toBe(false);
});
