/** What must hold for every answer, whatever the attack: the oracle of these suites. */
import { expect } from 'vitest';
import { type ProblemCode, problemTable } from '../../lib/errors.ts';
import { catalogue } from '../../lib/providers/catalogue.ts';
import type { RecordedCall } from '../support/recorded-call.ts';
import type { RawAnswer, RawExchange } from './raw-http.ts';
import type { Person, Service } from './start-service.ts';

/** Codes of ours, or statuses of a provider's or the server's own answers. */
export type Allowed = readonly (ProblemCode | number)[];

/** Every refusal of a token. */
export const TOKEN_REFUSED: Allowed = ['token_missing', 'token_invalid', 'token_expired'];

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Texts of the HTTP server in front of the router, for requests that are not HTTP. */
const SERVER_TEXTS = new Set(['', 'Malformed request.\n']);

/**
 * The exchange ended in time with exactly one whole answer, which is allowed, well formed and holds no secret; and the
 * log holds none.
 */
export function assertPromises(
  service: Service,
  exchange: RawExchange,
  allowed: Allowed,
  alsoSecret: readonly string[] = [],
): RawAnswer {
  expect(exchange.isTimeout, 'hangs').toBe(false);
  expect(exchange.answers).toHaveLength(1);
  const [answer] = exchange.answers;
  if (answer === undefined) throw new Error('No answer.');
  assertAnswer(service, answer, allowed);
  assertNoSecrets(service, [answer], alsoSecret);
  return answer;
}

export function assertAnswer(service: Service, answer: RawAnswer, allowed: Allowed): void {
  const code = answer.header('x-userkeys-error');
  expect(code, answer.text).not.toBe('internal');
  expect(service.escaped).toEqual([]);
  expect(answer.isComplete, 'is cut off').toBe(true);
  expect(answer.header('set-cookie')).toBeUndefined();
  expect(allowed, `${answer.status} ${answer.text.slice(0, 300)}`).toContain(code ?? answer.status);
  if (code !== undefined) assertProblem(answer, code);
  if (answer.header('x-userkeys-request-id') === undefined) {
    // The server in front of the router refused it.
    expect([400, 408, 413, 414, 417, 431]).toContain(answer.status);
    expect(SERVER_TEXTS).toContain(answer.text);
    return;
  }
  expect(answer.header('cache-control')).toBe('no-store');
  expect(answer.header('x-content-type-options')).toBe('nosniff');
  expect(answer.header('x-userkeys-request-id')).toMatch(UUID);
}

function assertProblem(answer: RawAnswer, code: string): void {
  const [, row] = Object.entries(problemTable).find(([known]) => known === code) ?? [];
  expect(row, `${code} is not a known code`).toBeDefined();
  expect(answer.status).toBe(row?.[0]);
  expect(answer.header('content-type')).toMatch(/^application\/problem\+json/);
  if (answer.status === 401) expect(answer.header('www-authenticate')).toMatch(/^Bearer/);
  if (answer.status === 405) expect(answer.header('allow')).toMatch(/^[A-Z, ]+$/);
  // A provider that limits calls may not say for how long.
  if ([429, 503].includes(answer.status) && code !== 'provider_limited')
    expect(answer.header('retry-after')).toMatch(/^\d+$/);
  if (answer.text === '') return;
  const document: unknown = JSON.parse(answer.text);
  expect(document).toMatchObject({
    code,
    status: answer.status,
    title: row?.[1],
    detail: expect.any(String),
    type: expect.stringMatching(/^(?:urn:|https?:)/),
    instance: answer.header('x-userkeys-request-id'),
  });
}

/** No answer and no log line holds a secret, plain or in hexadecimal or base64. */
export function assertNoSecrets(
  service: Service,
  answers: readonly RawAnswer[],
  alsoSecret: readonly string[] = [],
): void {
  const text = [
    ...answers.map(({ head, body }) => `${head}\n${body.toString('latin1')}`),
    service.takeLog(),
  ].join('\n');
  for (const secret of [...service.secrets, ...alsoSecret]) {
    if (secret.length < 8) continue;
    for (const form of formsOf(secret)) expect(text.includes(form), 'holds a secret').toBe(false);
  }
}

function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  // The end of a base64 text depends on what follows, so the last group is left out.
  return [secret, bytes.toString('hex'), bytes.toString('base64').slice(0, -4)];
}

/** Header names that carry a credential to some provider or gateway. */
export const CREDENTIAL_HEADERS: readonly string[] = [
  ...new Set([
    ...catalogue.map(({ credential }) => credential.header),
    ...['authorization', 'proxy-authorization', 'x-api-key', 'api-key', 'apikey', 'x-apikey', 'x-auth-token'],
    ...[
      'x-access-token',
      'x-goog-api-key',
      'x-goog-iam-authorization-token',
      'x-goog-user-project',
      'xi-api-key',
    ],
    ...[
      'x-amz-security-token',
      'x-amz-date',
      'x-vercel-oidc-token',
      'x-vercel-sc-headers',
      'x-vercel-forwarded-for',
    ],
    ...['openai-organization', 'openai-project', 'cookie', 'cookie2', 'x-csrf-token', 'x-session-id', 'dpop'],
    ...['x-copilotcloud-public-api-key', 'x-subscription-token', 'ocp-apim-subscription-key', 'x-token'],
    ...['x-openai-api-key', 'anthropic-api-key', 'x-hf-token', 'x-rapidapi-key', 'private-token'],
  ]),
];

/** What tests send in place of a credential of somebody. No provider may receive it. */
export const DECOY = 'decoy-credential-';

/**
 * Every call that a provider received since `mark` was paid with the key of `owner`, sent once; without an owner there
 * is no call. Nothing else that is secret reached it.
 */
export function assertPaidBy(
  service: Service,
  owner: Person | undefined,
  mark: number,
): readonly RecordedCall[] {
  const calls = service.world.calls.slice(mark);
  if (owner === undefined) expect(calls.map(({ target }) => target)).toEqual([]);
  for (const call of calls) {
    const key = owner?.keys.get(call.provider) ?? '';
    expect(key).not.toBe('');
    expect(call.credential).toBe(key);
    const values = call.rawHeaders.filter((_, index) => index % 2 === 1);
    const names = call.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    expect(values.filter((value) => value.includes(key))).toHaveLength(1);
    expect(names.filter((name) => CREDENTIAL_HEADERS.includes(name))).toHaveLength(1);
    expect(names).not.toContain('cookie');
    const others = `${call.target}\n${call.rawHeaders.join('\n').replace(key, '')}`;
    for (const secret of [...service.secrets, owner?.token ?? '', DECOY]) {
      if (secret !== '') expect(others.includes(secret), 'a secret reached the provider').toBe(false);
    }
  }
  return calls;
}
