/** Tries every combination of the variables that decide the mode, against the table of rules written down once more here. */
import { describe, expect, test } from 'vitest';
import { decideMode, type Environment, loadConfig } from '../../lib/config.ts';
import { ConfigError } from '../../lib/errors.ts';
import { newMasterKey } from '../support/start-world.ts';

type Values = Readonly<Record<string, string | undefined>>;
type Outcome = 'production' | 'local' | 'contradiction' | 'store elsewhere';

const PLATFORMS =
  'AWS_LAMBDA_FUNCTION_NAME LAMBDA_TASK_ROOT RENDER RAILWAY_ENVIRONMENT FLY_APP_NAME K_SERVICE KUBERNETES_SERVICE_HOST DYNO WEBSITE_INSTANCE_ID ECS_CONTAINER_METADATA_URI_V4'.split(
    ' ',
  );
const CHOICES: Readonly<Record<string, readonly (string | undefined)[]>> = {
  DEBUG: [undefined, '', 'true', 'false', '1'],
  DEPLOY_ENV: [undefined, '', 'local', 'production', 'render'],
  NODE_ENV: [undefined, '', 'production', 'development'],
  VERCEL: [undefined, '', '1'],
  VERCEL_ENV: [undefined, '', 'production', 'preview', 'development'],
};
const LOOPBACK = 'http://127.0.0.1:6379';
const ELSEWHERE = 'https://kv.example';

/** What the table says. */
function outcomeOf(env: Values): Outcome {
  const is = (name: string, ...values: string[]) => values.includes(env[name] ?? '');
  const isSet = (name: string) => !is(name, '');
  const rows: readonly (readonly [boolean, Outcome])[] = [
    [is('VERCEL_ENV', 'production', 'preview'), 'production'],
    [is('VERCEL', '1') && !is('VERCEL_ENV', 'development'), 'production'],
    [is('NODE_ENV', 'production'), 'production'],
    [PLATFORMS.some(isSet), 'production'],
    [isSet('DEPLOY_ENV') && !is('DEPLOY_ENV', 'local') && is('DEBUG', 'true'), 'contradiction'],
    [isSet('DEPLOY_ENV') && !is('DEPLOY_ENV', 'local'), 'production'],
    [is('KV_REST_API_URL', ELSEWHERE), 'store elsewhere'],
  ];
  return rows.find(([applies]) => applies)?.[1] ?? 'local';
}

/** Every combination of one value for each variable. */
function combine(choices: typeof CHOICES): readonly Values[] {
  return Object.entries(choices).reduce<readonly Values[]>(
    (combined, [name, values]) =>
      combined.flatMap((env) => values.map((value) => ({ ...env, [name]: value }))),
    [{}],
  );
}

const complete: Environment = {
  KV_REST_API_TOKEN: 'token',
  AUTH_ISSUER: 'https://issuer.example',
  AUTH_AUDIENCE: 'userkeys',
  VAULT_KEYS: newMasterKey(),
};

function start(env: Values): Outcome {
  try {
    return loadConfig({ ...complete, ...env }).mode;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (error.message.startsWith('DEPLOY_ENV') && error.variables.includes('DEBUG')) return 'contradiction';
    if (error.message.includes('set DEPLOY_ENV for a deployment')) return 'store elsewhere';
    throw error;
  }
}

test('every combination of variables and store starts in the mode of the table, or not at all', () => {
  const combinations = combine({ ...CHOICES, KV_REST_API_URL: [LOOPBACK, ELSEWHERE] });
  const wrong = combinations.filter((env) => start(env) !== outcomeOf(env));
  expect(wrong).toEqual([]);
  expect(combinations).toHaveLength(3_000);
  expect(new Set(combinations.map(outcomeOf)).size).toBe(4);
});

test('so does every combination with each platform’s variable, set and empty', () => {
  const platforms = PLATFORMS.flatMap((name) => [{ [name]: 'x' }, { [name]: '' }]);
  const combinations = combine(CHOICES).flatMap((env) =>
    platforms.map((platform) => ({ ...env, ...platform })),
  );
  const modeOf = (env: Values) => {
    try {
      return decideMode(env);
    } catch {
      return 'contradiction';
    }
  };
  expect(combinations.filter((env) => modeOf(env) !== outcomeOf(env))).toEqual([]);
  expect(combinations).toHaveLength(30_000);
});

test('so does every combination of the platforms’ variables, each unset, empty or set', () => {
  const combinations = combine(
    Object.fromEntries(PLATFORMS.map((name) => [name, [undefined, '', 'x'] as const])),
  );
  expect(combinations.filter((env) => decideMode(env) !== outcomeOf(env))).toEqual([]);
  expect(combinations).toHaveLength(59_049);
});

describe('local mode starts only with a store on this machine', () => {
  test.each(['http://localhost:1', 'http://127.0.0.1', 'http://127.9.8.7', 'http://127.1', 'http://[::1]:1'])(
    'starts with %s',
    (KV_REST_API_URL) => {
      expect(start({ KV_REST_API_URL })).toBe('local');
    },
  );

  test.each([
    'https://kv.example',
    'https://localhost.example',
    'https://127.0.0.1.example',
    'https://128.0.0.1',
    'https://10.0.0.1',
    'https://0.0.0.0',
    'https://[::2]',
    'https://[::ffff:10.0.0.1]',
  ])('refuses %s, and says what to set', (KV_REST_API_URL) => {
    const load = () => loadConfig({ ...complete, KV_REST_API_URL, DEBUG: 'true' });
    expect(load).toThrow(ConfigError);
    expect(load).toThrow('KV_REST_API_URL: is not on this machine');
    expect(load).toThrow('set DEPLOY_ENV for a deployment');
  });
});

test('DEBUG=true with a deployment’s name is refused, and the error names both variables and no value', () => {
  const load = () =>
    loadConfig({ ...complete, KV_REST_API_URL: LOOPBACK, DEPLOY_ENV: 'my-cloud', DEBUG: 'true' });
  expect(load).toThrow(expect.objectContaining({ variables: ['DEPLOY_ENV', 'DEBUG'] }));
  expect(load).not.toThrow('my-cloud');
});

describe('production needs AUTH_AUDIENCE or AUTH_AUTHORIZED_PARTIES', () => {
  const production = { ...complete, KV_REST_API_URL: ELSEWHERE, DEPLOY_ENV: 'production' };

  test.each([undefined, '', ',', ' , '])('refuses %j for both, and names both', (value) => {
    const load = () => loadConfig({ ...production, AUTH_AUDIENCE: value, AUTH_AUTHORIZED_PARTIES: value });
    expect(load).toThrow(
      expect.objectContaining({ variables: ['AUTH_AUDIENCE', 'AUTH_AUTHORIZED_PARTIES'] }),
    );
  });

  test.each(['AUTH_AUDIENCE', 'AUTH_AUTHORIZED_PARTIES'])('starts with %s alone', (name) => {
    expect(loadConfig({ ...production, AUTH_AUDIENCE: undefined, [name]: 'x' }).mode).toBe('production');
  });

  test('local mode needs neither', () => {
    const env = { ...complete, KV_REST_API_URL: LOOPBACK, AUTH_AUDIENCE: undefined };
    expect(loadConfig(env).mode).toBe('local');
  });
});
