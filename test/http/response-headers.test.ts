import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json } from '../support/answers.ts';
import { type CallInit, call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let functions: HandlerModule;
let token: string;

beforeAll(async () => {
  world = await startWorld({ env: { ALLOWED_ORIGINS: 'https://app.example' } });
  functions = await import('../../api/userkeys.ts');
  token = await world.tokenFor('alice');
  await call(functions, '/api/keys/openai', { method: 'PUT', token, json: { key: newProviderKey() } });
});
afterAll(() => world.close());

const PREFLIGHT = { origin: 'https://app.example', 'access-control-request-method': 'PUT' };

test.each<[string, string, CallInit, number]>([
  ['a JSON answer', '/api/health', {}, 200],
  ['an answer without a body', '/api/health', { method: 'HEAD' }, 200],
  ['an unknown address', '/api/nothing', {}, 404],
  ['a method that is not there', '/api/health', { method: 'DELETE' }, 405],
  ['a caller without a token', '/api/keys', {}, 401],
  ['a preflight', '/api/keys', { method: 'OPTIONS', headers: PREFLIGHT }, 204],
  ['an unknown provider', '/api/proxy/nobody/v1', {}, 401],
])('%s must not be sniffed', async (_what, path, init, status) => {
  const response = await call(functions, path, init);
  expect(response.status).toBe(status);
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
});

describe('a provider’s answer', () => {
  test.each<[string, number, string]>([
    ['a page', 200, 'GET'],
    ['an error', 404, 'GET'],
    ['an answer without a body', 200, 'HEAD'],
    ['an error without a body', 403, 'HEAD'],
    ['status 204', 204, 'GET'],
  ])('runs no script of the deployment’s origin and is not sniffed: %s', async (_what, status, method) => {
    const theirs = { 'content-type': 'text/html', 'content-security-policy': "default-src 'unsafe-inline'" };
    world.providers.answerNextWith(
      status === 204
        ? (_call, response) => void response.writeHead(204).end()
        : json('<script>1</script>', status, theirs),
    );
    const response = await call(functions, '/api/proxy/openai/v1/x', { method, token });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-security-policy')).toBe("sandbox; default-src 'none'");
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });
});
