import { generateKeyPairSync } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { Problem } from '../../lib/errors.ts';
import { createIssuerKeys } from '../../lib/identity/issuer-keys.ts';
import { createPublicKey } from '../../lib/identity/public-key.ts';
import { bodyOf } from '../../lib/outgoing/body.ts';
import { type Answer, SendError } from '../../lib/outgoing/send.ts';

let jwks: unknown;
let refusedKids: readonly string[] = [];
let down = false;
let hangs = false;
let requests = 0;
let now = 0;

const send = async (): Promise<Answer> => {
  requests += 1;
  if (hangs) return new Promise(() => {});
  if (down) throw new SendError('unreachable');
  return { status: 200, headers: new Headers(), body: bodyOf(new Blob([JSON.stringify(jwks)]).stream()) };
};
const open = () => createIssuerKeys({ jwksUrl: 'https://issuer.example/jwks', refusedKids }, send, () => now);
const input = { payload: '', signature: '' };

beforeEach(async () => {
  const { publicKey } = await generateKeyPair('ES256', { extractable: true });
  jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'a', alg: 'ES256' }] };
  refusedKids = [];
  down = false;
  hangs = false;
  requests = 0;
  now = 1_000_000;
});

test('keys are fetched again after ten minutes, and stay in use for two hours while the issuer is down', async () => {
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
  now += 60 * 60_000 + 1;
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

describe('a set of keys', () => {
  const known = { alg: 'ES256', kid: 'a' };
  const jwk = async (alg = 'ES256', options: Parameters<typeof generateKeyPair>[1] = {}) => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true, ...options });
    return { publicJwk: { ...(await exportJWK(publicKey)), alg }, privateJwk: await exportJWK(privateKey) };
  };
  const refusal = (reason: string) => ({ code: 'token_invalid', reason });

  test('is used until it is two hours old while the issuer is down, and not a moment longer', async () => {
    const find = open();
    await find(known, input);
    down = true;
    now += 2 * 60 * 60_000;
    await find(known, input);
    now += 1;
    await expect(find(known, input)).rejects.toMatchObject({ code: 'issuer_unavailable' });
    down = false;
    now += 1_000;
    await find(known, input);
  });

  test('gives no key of a refused kid, also to a token that names no kid', async () => {
    refusedKids = ['a'];
    const find = open();
    await expect(find(known, input)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
    await expect(find({ alg: 'ES256' }, input)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
    refusedKids = [];
    await open()({ alg: 'ES256' }, input);
  });

  test.each([
    ['for encryption', { use: 'enc' }],
    ['for other operations', { key_ops: ['encrypt'] }],
    ['of another algorithm', { alg: 'ES384' }],
  ])('gives no key %s', async (_what, members) => {
    const { publicJwk } = await jwk();
    jwks = { keys: [{ ...publicJwk, kid: 'a', ...members }] };
    await expect(open()(known, input)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
  });

  test('gives none of two keys with the same kid', async () => {
    const [first, second] = [await jwk(), await jwk()];
    jwks = { keys: [first, second].map(({ publicJwk }) => ({ ...publicJwk, kid: 'a' })) };
    await expect(open()(known, input)).rejects.toMatchObject({ code: 'ERR_JWKS_MULTIPLE_MATCHING_KEYS' });
  });

  test('gives no RSA key under 2,048 bits', async () => {
    const { publicJwk } = await jwk('RS256');
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1_024 });
    jwks = {
      keys: [
        { ...publicKey.export({ format: 'jwk' }), kid: 'weak' },
        { ...publicJwk, kid: 'a' },
      ],
    };
    const find = open();
    await expect(find({ alg: 'RS256', kid: 'weak' }, input)).rejects.toMatchObject(refusal('token_key_weak'));
    await find({ alg: 'RS256', kid: 'a' }, input);
  });

  test.each(['ES256', 'RS256', 'EdDSA'])(
    'gives no %s key whose private half it publishes, and still gives the others',
    async (alg) => {
      const [leaked, good] = [await jwk(alg), await jwk(alg)];
      jwks = {
        keys: [
          { ...leaked.privateJwk, kid: 'leaked' },
          { ...good.publicJwk, kid: 'a' },
        ],
      };
      const find = open();
      await expect(find({ alg, kid: 'leaked' }, input)).rejects.toMatchObject(refusal('token_key_private'));
      expect(await find({ alg }, input)).toEqual(await find({ alg, kid: 'a' }, input));
      expect(requests).toBe(1);
    },
  );

  test.each([
    ['no text for its modulus', { kty: 'RSA', kid: 'odd', n: 7, e: 'AQAB' }],
    ['a modulus of no bits', { kty: 'RSA', kid: 'odd', n: '', e: 'AQAB' }],
    ['a modulus that is no base64url', { kty: 'RSA', kid: 'odd', n: '%%%', e: 'AQAB' }],
    ['a point off its curve', { kty: 'EC', kid: 'odd', crv: 'P-256', x: 'AAAA', y: 'AAAA' }],
    ['a kid that is no text', { kty: 'EC', kid: 7, crv: 'P-256', x: 'AAAA', y: 'AAAA' }],
  ])('with a key that has %s still gives the others', async (_what, odd) => {
    const { publicJwk } = await jwk();
    jwks = { keys: [odd, { ...publicJwk, kid: 'a' }] };
    const find = open();
    await find(known, input);
    await expect(find({ alg: odd.kty === 'RSA' ? 'RS256' : 'ES256', kid: 'odd' }, input)).rejects.toThrow();
  });

  test('that nests deeply is refused as malformed', async () => {
    jwks = { keys: [JSON.parse(`${'{"kty":'.repeat(20_000)}"EC"${'}'.repeat(20_000)}`)] };
    await expect(open()(known, input)).rejects.toMatchObject({ code: 'issuer_unavailable' });
  });
});

describe('one fixed key', () => {
  const text = async (members: object) => {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true });
    return JSON.stringify({ ...(await exportJWK(publicKey)), kid: 'a', ...members });
  };

  test('is refused where its kid is refused, or it is not for signatures', async () => {
    await expect(createPublicKey(await text({}), ['b'])).resolves.toBeTypeOf('function');
    await expect(createPublicKey(await text({}), ['b', 'a'])).rejects.toThrow();
    await expect(createPublicKey(await text({ use: 'enc' }), [])).rejects.toThrow();
    await expect(createPublicKey(await text({ key_ops: ['encrypt'] }), [])).rejects.toThrow();
    await expect(createPublicKey(await text({ alg: 'ES256' }), [])).rejects.toThrow();
  });

  test('verifies only the algorithm that its JWK names', async () => {
    const find = await createPublicKey(await text({ alg: 'PS256' }), []);
    await find({ alg: 'PS256' }, input);
    expect(() => find({ alg: 'RS256' }, input)).toThrow(
      expect.objectContaining({ code: 'ERR_JOSE_ALG_NOT_ALLOWED' }),
    );
  });
});
