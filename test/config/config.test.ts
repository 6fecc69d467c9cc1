import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Environment, loadConfig } from '../../lib/config.ts';
import { ConfigError } from '../../lib/errors.ts';
import { newMasterKey } from '../support/start-world.ts';

const complete: Environment = {
  KV_REST_API_URL: 'https://kv.example',
  KV_REST_API_TOKEN: randomBytes(12).toString('hex'),
  AUTH_ISSUER: 'https://issuer.example',
  AUTH_AUDIENCE: 'userkeys',
  DEPLOY_ENV: 'production',
  VAULT_KEYS: newMasterKey(),
};

describe('an error names the variable but not its value', () => {
  const SENTINEL = 'sentinel-value';
  test.each<[string, string | undefined]>([
    ['KV_REST_API_URL', undefined],
    ['KV_REST_API_URL', SENTINEL],
    ['KV_REST_API_URL', `http://kv.example/${SENTINEL}`],
    ['KV_REST_API_URL', `https://user:${SENTINEL}@kv.example`],
    ['KV_REST_API_TOKEN', undefined],
    ['KV_REST_API_TOKEN', ''],
    ['AUTH_ISSUER', undefined],
    ['AUTH_ISSUER', SENTINEL],
    ['AUTH_JWKS_URL', `http://evil.example/${SENTINEL}`],
    ['AUTH_MAX_TOKEN_HOURS', SENTINEL],
    ['AUTH_MAX_TOKEN_HOURS', '0'],
    ['AUTH_MAX_TOKEN_HOURS', '721'],
    ['AUTH_PUBLIC_KEY', SENTINEL],
    ['AUTH_PUBLIC_KEY', `{"kty":"oct","k":"${SENTINEL}"}`],
    ['AUTH_PUBLIC_KEY', `{"kty":"EC","d":"${SENTINEL}"}`],
    ['AUTH_PUBLIC_KEY', `-----BEGIN PRIVATE KEY-----\n${SENTINEL}`],
    ['VAULT_KEYS', undefined],
    ['VAULT_KEYS', SENTINEL],
    ['VAULT_KEYS', `k1:${SENTINEL}`],
    ['VAULT_KEYS', `k1:${Buffer.alloc(32).toString('base64url')}`],
    ['ALLOWED_ORIGINS', `${SENTINEL}`],
    ['ALLOWED_ORIGINS', `https://app.example/${SENTINEL}`],
    ['ALLOWED_ORIGINS', '*'],
    ['RATE_LIMIT_PER_MINUTE', SENTINEL],
    ['RATE_LIMIT_PER_MINUTE', '0'],
    ['RATE_LIMIT_PER_MINUTE', '1.5'],
    ['PROVIDER_TIMEOUT_SECONDS', '-1'],
    ['CRON_SECRET', 'short'],
    ['OPENAI_BASE_URL', `http://evil.example/${SENTINEL}`],
    ['GEMINI_BASE_URL', SENTINEL],
    ['EXA_BASE_URL', `https://user:${SENTINEL}@api.example`],
    ['EXA_BASE_URL', `https://api.example/?${SENTINEL}`],
    ['EXA_BASE_URL', `https://api.example/#${SENTINEL}`],
  ])('%s = %j', (variable, value) => {
    let caught: unknown;
    try {
      loadConfig({ ...complete, [variable]: value });
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(ConfigError);
    expect(caught).toMatchObject({ variables: [variable] });
    expect(inspect(caught)).not.toContain(SENTINEL);
  });

  test('one error lists all missing variables', () => {
    expect(() => loadConfig({})).toThrow(/KV_REST_API_URL.*KV_REST_API_TOKEN.*AUTH_ISSUER.*VAULT_KEYS/);
  });
});

test('a complete configuration is frozen, has defaults and prints no secret', () => {
  const config = loadConfig({ ...complete, EXA_BASE_URL: 'http://127.0.0.1:9/' });
  expect(config).toMatchObject({
    mode: 'production',
    auth: {
      jwksUrl: 'https://issuer.example/.well-known/jwks.json',
      audience: ['userkeys'],
      refusedKids: [],
      maxTokenSeconds: 86_400,
    },
    rateLimitPerMinute: 120,
    providerTimeoutMs: 120_000,
    allowedOrigins: [],
  });
  expect(config.baseUrls.get('exa')).toBe('http://127.0.0.1:9');
  expect(Object.isFrozen(config)).toBe(true);
  const printed = inspect(config, { depth: 9 }) + JSON.stringify(config);
  expect(printed).not.toContain(complete.KV_REST_API_TOKEN);
  expect(printed).not.toContain(complete.VAULT_KEYS);
});

test.each([
  ['https://API.Example', 'https://api.example'],
  ['HTTPS://api.example:443/', 'https://api.example'],
  ['  https://api.example \n', 'https://api.example'],
  ['https://api.example/Team%20A/openai//', 'https://api.example/Team%20A/openai'],
  ['https://api.example/a/../b', 'https://api.example/b'],
  ['http://127.1:8080', 'http://127.0.0.1:8080'],
])('the base URL %j is normalized by the URL parser', (written, base) => {
  const { baseUrls } = loadConfig({ ...complete, OPENAI_BASE_URL: written });
  expect(baseUrls.get('openai')).toBe(base);
});
