/** Every combination of the variables that decide the mode, against DESIGN's table written down once more. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Environment, loadConfig } from '../../lib/config.ts';
import { ConfigError } from '../../lib/errors.ts';
import { newMasterKey, newProviderKey } from '../support/start-world.ts';
import { defineFamily } from './family.ts';
import { assertPromises } from './promises.ts';
import { type Service, startService } from './start-service.ts';

const attack = defineFamily('modes');

const LOOPBACK_KV = ['http://127.0.0.1:8079', 'http://localhost:8079', 'http://[::1]:8079'];
const OTHER_KV = [
  'https://kv.example',
  'https://127.0.0.1.evil.example',
  'https://localhost.evil.example',
  'https://10.0.0.1',
];
const complete: Environment = {
  KV_REST_API_TOKEN: randomBytes(12).toString('hex'),
  AUTH_ISSUER: 'https://issuer.example',
  AUTH_AUDIENCE: 'app',
  VAULT_KEYS: newMasterKey(),
};

const PLATFORMS: readonly string[] = [
  ...[
    'AWS_LAMBDA_FUNCTION_NAME',
    'LAMBDA_TASK_ROOT',
    'RENDER',
    'RAILWAY_ENVIRONMENT',
    'FLY_APP_NAME',
    'K_SERVICE',
  ],
  ...['KUBERNETES_SERVICE_HOST', 'DYNO', 'WEBSITE_INSTANCE_ID', 'ECS_CONTAINER_METADATA_URI_V4'],
];
const VERCEL_ENVS = [undefined, 'production', 'preview', 'development'];
const VERCELS = [undefined, '', '1'];
const NODE_ENVS = [undefined, 'development', 'test', 'production'];
const DEPLOY_ENVS = [undefined, '', 'local', 'render', 'LOCAL'];
const DEBUGS = [undefined, 'true', '1'];

type Outcome = 'local' | 'production' | 'refused';

/** DESIGN, "Modes": the first rule that matches. */
function expected(env: Environment, isLoopback: boolean): Outcome {
  const isDeployed =
    env.VERCEL_ENV === 'production' ||
    env.VERCEL_ENV === 'preview' ||
    (env.VERCEL === '1' && env.VERCEL_ENV !== 'development') ||
    env.NODE_ENV === 'production' ||
    PLATFORMS.some((name) => Boolean(env[name]));
  if (isDeployed) return 'production';
  const names = Boolean(env.DEPLOY_ENV) && env.DEPLOY_ENV !== 'local';
  if (names && env.DEBUG === 'true') return 'refused';
  if (names) return 'production';
  return isLoopback ? 'local' : 'refused';
}

function actual(env: Environment): Outcome {
  try {
    const { mode, localFiles } = loadConfig(env);
    expect(localFiles !== undefined).toBe(mode === 'local');
    return mode;
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return 'refused';
  }
}

let combinations = 0;
attack<Environment>(
  'the mode is the one of the table',
  VERCEL_ENVS.flatMap((VERCEL_ENV) =>
    VERCELS.flatMap((VERCEL) =>
      NODE_ENVS.flatMap((NODE_ENV) =>
        [undefined, ...PLATFORMS].map((platform) => {
          const env = {
            VERCEL_ENV,
            VERCEL,
            NODE_ENV,
            ...(platform === undefined ? {} : { [platform]: 'x' }),
          };
          return [JSON.stringify(env), env] as const;
        }),
      ),
    ),
  ),
  (platform) => {
    for (const DEPLOY_ENV of DEPLOY_ENVS) {
      for (const DEBUG of DEBUGS) {
        for (const KV_REST_API_URL of [LOOPBACK_KV[0], OTHER_KV[0]]) {
          const env = { ...complete, ...platform, DEPLOY_ENV, DEBUG, KV_REST_API_URL };
          combinations += 1;
          expect(actual(env), JSON.stringify({ ...platform, DEPLOY_ENV, DEBUG, KV_REST_API_URL })).toBe(
            expected(env, KV_REST_API_URL === LOOPBACK_KV[0]),
          );
        }
      }
    }
  },
);
afterAll(() => {
  process.stdout.write(`hostile modes: ${combinations} combinations of variables\n`);
});
attack<Environment>(
  'a platform’s variable with any value is a deployment',
  PLATFORMS.flatMap((name) =>
    ['0', 'false', ' ', 'local', 'development'].map(
      (value) => [`${name}=${value}`, { [name]: value }] as const,
    ),
  ),
  (env) => {
    const local = { DEBUG: 'true', DEPLOY_ENV: 'local', KV_REST_API_URL: LOOPBACK_KV[0] };
    expect(actual({ ...complete, ...local, ...env })).toBe('production');
  },
);
attack<readonly [string, Outcome]>(
  'local mode needs a store on this machine',
  [
    ...LOOPBACK_KV.map((url) => [url, [url, 'local']] as const),
    ...OTHER_KV.map((url) => [url, [url, 'refused']] as const),
  ],
  ([KV_REST_API_URL, outcome]) => expect(actual({ ...complete, KV_REST_API_URL })).toBe(outcome),
);
attack<Environment>(
  'production is refused without an audience and without authorized parties',
  [
    ['neither', { AUTH_AUDIENCE: undefined }],
    ['both empty', { AUTH_AUDIENCE: '', AUTH_AUTHORIZED_PARTIES: '' }],
    ['only commas', { AUTH_AUDIENCE: ',,', AUTH_AUTHORIZED_PARTIES: ' , ' }],
  ],
  (env) => {
    const production = { DEPLOY_ENV: 'production', KV_REST_API_URL: OTHER_KV[0] };
    expect(actual({ ...complete, ...production })).toBe('production');
    expect(actual({ ...complete, ...production, ...env })).toBe('refused');
  },
);

// A sample over HTTP: what a deployment does with a key

let directory: string;
let service: Service;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'userkeys-modes-'));
  service = await startService({ env: { ENV_FILE: join(directory, '.env') } });
});
afterAll(async () => {
  await service.close();
  await rm(directory, { recursive: true, force: true });
});
attack<Readonly<Record<string, string>>>(
  'a deployment writes no file and keeps its users apart',
  [
    ...PLATFORMS.map((name) => [name, { DEPLOY_ENV: '', [name]: 'x' }] as const),
    ['VERCEL_ENV=preview', { DEPLOY_ENV: 'local', VERCEL_ENV: 'preview' }],
    ['VERCEL=1', { DEPLOY_ENV: '', VERCEL: '1' }],
    ['NODE_ENV=production', { DEPLOY_ENV: 'local', DEBUG: 'true', NODE_ENV: 'production' }],
    ['DEPLOY_ENV=render', { DEPLOY_ENV: 'render' }],
  ],
  async (env) => {
    service.recompose(env);
    const health = assertPromises(service, await service.send('/api/health'), [200]);
    expect(JSON.parse(health.text)).toMatchObject({ mode: 'production' });
    const user = await service.person(`user ${JSON.stringify(env)}`, ['openai']);
    const other = await service.person(`other ${JSON.stringify(env)}`);
    const refused = await service.send('/api/proxy/openai/v1/models', { token: other.token });
    assertPromises(service, refused, ['key_missing'], [user.token]);
    expect(await readdir(directory)).toEqual([]);
    assertPromises(service, await service.send('/api/keys'), ['token_missing']);
    const key = newProviderKey();
    assertPromises(
      service,
      await service.send('/api/keys/openai', { method: 'PUT', json: { key } }),
      ['token_missing'],
      [key],
    );
    await service.settle();
  },
);
