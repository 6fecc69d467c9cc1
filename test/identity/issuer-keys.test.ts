import { exportJWK, generateKeyPair } from 'jose';
import { beforeEach, expect, test } from 'vitest';
import { Problem } from '../../lib/errors.ts';
import { createIssuerKeys } from '../../lib/identity/issuer-keys.ts';
import { type Answer, SendError } from '../../lib/outgoing/send.ts';

let jwks: unknown;
const refusedKids: readonly string[] = [];
let down = false;
let hangs = false;
let requests = 0;
let now = 0;

const send = async (): Promise<Answer> => {
  requests += 1;
  if (hangs) return new Promise(() => {});
  if (down) throw new SendError('unreachable');
  return { status: 200, headers: new Headers(), body: new Blob([JSON.stringify(jwks)]).stream() };
};
const open = () => createIssuerKeys({ jwksUrl: 'https://issuer.example/jwks', refusedKids }, send, () => now);
const input = { payload: '', signature: '' };

beforeEach(async () => {
  const { publicKey } = await generateKeyPair('ES256', { extractable: true });
  jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'a', alg: 'ES256' }] };
  down = false;
  hangs = false;
  requests = 0;
  now = 1_000_000;
});

test('keys are fetched again after ten minutes, and stay in use for a day while the issuer is down', async () => {
  const find = open();
  const known = { alg: 'ES256', kid: 'a' };
  await find(known, input);
  now += 9 * 60_000;
  await find(known, input);
  expect(requests).toBe(1);
  now += 2 * 60_000;
  await find(known, input);
  expect(requests).toBe(2);
  // The keys are renewed in the background, in this turn of the event loop.
  await new Promise(setImmediate);
  down = true;
  now += 60 * 60_000;
  await find(known, input);
  now += 24 * 60 * 60_000;
  await expect(find(known, input)).rejects.toMatchObject({ code: 'issuer_unavailable' });
});

test('keys are renewed in the background: no caller waits for an issuer that hangs', async () => {
  const find = open();
  await find({ alg: 'ES256', kid: 'a' }, input);
  hangs = true;
  now += 11 * 60_000;
  await find({ alg: 'ES256', kid: 'a' }, input);
  expect(requests).toBe(2);
});

test.each([{ keys: [] }, { keys: [{ kty: 'EC' }] }, { keys: [{ kty: 'oct', k: 'AAAA' }] }])(
  'keys are not replaced by a set without a usable key: %j',
  async (empty) => {
    const find = open();
    await find({ alg: 'ES256', kid: 'a' }, input);
    jwks = empty;
    now += 61 * 60_000;
    await find({ alg: 'ES256', kid: 'a' }, input);
    expect(requests).toBe(2);
  },
);

test('an unknown kid causes one fetch in 30 seconds', async () => {
  const find = open();
  const unknown = { alg: 'ES256', kid: 'b' };
  await expect(find(unknown, input)).rejects.not.toBeInstanceOf(Problem);
  await expect(find(unknown, input)).rejects.not.toBeInstanceOf(Problem);
  expect(requests).toBe(2);
  now += 31_000;
  await expect(find(unknown, input)).rejects.not.toBeInstanceOf(Problem);
  expect(requests).toBe(3);
});

test('an unknown kid while the issuer is down is not reported as the caller’s error', async () => {
  const find = open();
  await find({ alg: 'ES256', kid: 'a' }, input);
  down = true;
  await expect(find({ alg: 'ES256', kid: 'b' }, input)).rejects.toMatchObject({ code: 'issuer_unavailable' });
});

test('not every request contacts an issuer that is down', async () => {
  down = true;
  const find = open();
  for (let index = 0; index < 5; index += 1) {
    await expect(find({ alg: 'ES256', kid: 'a' }, input)).rejects.toMatchObject({
      code: 'issuer_unavailable',
    });
  }
  expect(requests).toBe(1);
  now += 1_001;
  down = false;
  await find({ alg: 'ES256', kid: 'a' }, input);
});
