import { createHash } from 'node:crypto';
import { generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { startWorld, type World } from '../support/start-world.ts';

let world: World;

beforeAll(async () => {
  world = await startWorld({
    env: { AUTH_AUDIENCE: 'userkeys', AUTH_AUTHORIZED_PARTIES: 'https://app.example, https://b.example' },
  });
  vi.resetModules();
});
afterAll(() => world.close());

const good = { aud: 'userkeys', azp: 'https://app.example' };
const keysModule = async (): Promise<HandlerModule> => import('../../api/userkeys.ts');
const ask = async (token: string) => call(await keysModule(), '/api/keys', { token });

async function expectRefused(token: string, code = 'token_invalid'): Promise<void> {
  const response = await ask(token);
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  const text = await response.text();
  expect(JSON.parse(text)).toMatchObject({ code });
  expect(text).not.toContain(token);
}

test('accepts a token of the issuer for this audience and an allowed party', async () => {
  expect((await ask(await world.tokenFor('alice', good))).status).toBe(200);
});

describe('refuses a token', () => {
  test.each<[string, Record<string, unknown>]>([
    ['from another issuer', { iss: 'https://evil.example' }],
    ['without an issuer', { iss: undefined }],
    ['for another audience', { aud: 'other' }],
    ['without an audience', { aud: undefined }],
    ['for another authorized party', { azp: 'https://evil.example' }],
    ['without an authorized party', { azp: undefined }],
    ['without an expiry', { exp: undefined }],
    ['without an issue time', { iat: undefined }],
    ['issued in the future', { iat: Math.floor(Date.now() / 1000) + 60 }],
    ['not valid yet', { nbf: Math.floor(Date.now() / 1000) + 60 }],
  ])('%s', async (_what, claims) => {
    await expectRefused(await world.tokenFor('alice', { ...good, ...claims }));
  });

  test('that has expired, with its own error code', async () => {
    const exp = Math.floor(Date.now() / 1000) - 10;
    await expectRefused(await world.tokenFor('alice', { ...good, exp }), 'token_expired');
  });

  test.each([
    [null],
    [''],
    [7],
    [['alice']],
    [{ sub: 'alice' }],
    [undefined],
    ['a'.repeat(256)],
    ['ali\nce'],
    ['älice'],
  ])('whose sub is %j', async (sub) => {
    await expectRefused(await world.issuer.sign(sub, good));
  });

  test('that is not signed', async () => expectRefused(world.issuer.unsigned('alice')));
  test('that is HS256-signed with the public key', async () =>
    expectRefused(await world.issuer.signedWithPublicKey('alice')));
  test('over 16 KB', async () =>
    expectRefused(await world.tokenFor('alice', { ...good, padding: 'x'.repeat(16 * 1024) })));
  test('that is malformed', async () => {
    await expectRefused('a.b.c');
    await expectRefused('rubbish');
  });

  test.each(['jwk', 'jku', 'x5u', 'x5c'])('that carries or references its own key in %s', async (member) => {
    const token = await world.issuer.sign('alice', good, {
      [member]: member === 'x5c' ? ['a'] : 'https://evil.example',
    });
    await expectRefused(token);
  });

  test('that declares critical extensions', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const token = await new SignJWT({ sub: 'alice', ...good })
      .setProtectedHeader({ alg: 'ES256', crit: ['b64'], b64: true })
      .sign(privateKey);
    await expectRefused(token);
  });

  test('with one changed character', async () => {
    const token = await world.tokenFor('alice', good);
    const [header, , signature] = token.split('.');
    const claims = Buffer.from(JSON.stringify({ iss: world.issuer.url, sub: 'bob', ...good })).toString(
      'base64url',
    );
    await expectRefused(`${header}.${claims}.${signature}`);
  });
});

test('a request without a token gets a challenge without an error code', async () => {
  const response = await call(await keysModule(), '/api/keys');
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer');
  expect(await response.json()).toMatchObject({ code: 'token_missing' });
});

describe('the issuer’s public keys', () => {
  test('are fetched once for many requests, and again for an unknown kid, but not for each unknown kid', async () => {
    vi.resetModules();
    const before = world.issuer.jwksRequests();
    await Promise.all(Array.from({ length: 10 }, async () => ask(await world.tokenFor('alice', good))));
    expect(world.issuer.jwksRequests() - before).toBe(1);
    await world.issuer.rotate();
    expect((await ask(await world.tokenFor('alice', good))).status).toBe(200);
    expect(world.issuer.jwksRequests() - before).toBe(2);
    for (let index = 0; index < 5; index += 1) {
      const kid = createHash('sha256').update(String(index)).digest('hex');
      await expectRefused(await world.issuer.sign('alice', good, { kid }));
    }
    expect(world.issuer.jwksRequests() - before).toBe(2);
  });

  test.each([
    ['fails', () => new Response('no', { status: 500 })],
    ['sends something else', () => new Response('<html>')],
    ['sends a megabyte', () => Response.json({ keys: [], padding: 'x'.repeat(1024 * 1024) })],
  ])('answer 503, not 401, if the issuer %s', async (_what, handler) => {
    vi.resetModules();
    world.issuer.answerJwksWith(handler);
    const response = await ask(await world.tokenFor('alice', good));
    world.issuer.answerJwksWith();
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('5');
    expect(await response.json()).toMatchObject({ code: 'issuer_unavailable' });
  });

  test('stay in use while the issuer is down', async () => {
    vi.resetModules();
    const token = await world.tokenFor('alice', good);
    expect((await ask(token)).status).toBe(200);
    world.issuer.answerJwksWith(() => new Response(null, { status: 500 }));
    expect((await ask(token)).status).toBe(200);
    world.issuer.answerJwksWith();
  });
});

describe('with AUTH_PUBLIC_KEY', () => {
  test.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])(
    '%s tokens are verified without a network call',
    async (alg) => {
      const other = await startWorld({ issuerAlg: alg });
      try {
        for (const text of [await other.issuer.publicKeyPem(), JSON.stringify(other.issuer.publicJwk())]) {
          vi.resetModules();
          process.env.AUTH_PUBLIC_KEY = text;
          expect((await ask(await other.tokenFor('alice'))).status).toBe(200);
          expect((await ask(await world.tokenFor('alice', { iss: other.issuer.url }))).status).toBe(401);
          expect((await ask(await other.issuer.signedWithPublicKey('alice'))).status).toBe(401);
        }
        expect(other.issuer.jwksRequests()).toBe(0);
      } finally {
        delete process.env.AUTH_PUBLIC_KEY;
        await other.close();
      }
    },
  );
});
