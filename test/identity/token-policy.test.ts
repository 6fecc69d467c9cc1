/** Tokens with a good signature of the right issuer that are no session token of a user. Each is refused for a reason of its own. */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { generateKeyPair, type JWTVerifyGetKey, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { Problem } from '../../lib/errors.ts';
import { subjectOf } from '../../lib/identity/user-id.ts';
import { createTokenVerifier, type Expectations } from '../../lib/identity/verify-token.ts';
import { Secret } from '../../lib/secret.ts';

type Members = Readonly<Record<string, unknown>>;

const NOW = 1_800_000_000;
const DAY = 24 * 60 * 60;
const ISSUER = 'https://issuer.example';
const expected: Expectations = {
  issuer: ISSUER,
  tenant: 'test',
  audience: [],
  authorizedParties: [],
  refusedKids: ['stolen'],
  maxTokenSeconds: DAY,
};
const CANARY = randomBytes(12).toString('hex');

let privateKey: CryptoKey;
let findKey: JWTVerifyGetKey;
beforeAll(async () => {
  const pair = await generateKeyPair('ES256');
  privateKey = pair.privateKey;
  findKey = async () => pair.publicKey;
});

/** Signs exactly these claims: JSON text may say what no builder of tokens allows. */
async function sign(claims: Members | string, header: Members = {}): Promise<string> {
  const text = typeof claims === 'string' ? claims : JSON.stringify(claims);
  const encode = (part: string) => Buffer.from(part).toString('base64url');
  const signed = `${encode(JSON.stringify({ alg: 'ES256', ...header }))}.${encode(text)}`;
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const signature = await crypto.subtle.sign(algorithm, privateKey, Buffer.from(signed));
  return `${signed}.${Buffer.from(signature).toString('base64url')}`;
}

function claimsOf(changes: Members = {}): Members {
  return { iss: ISSUER, sub: 'alice', iat: NOW - 10, exp: NOW + 60, canary: CANARY, ...changes };
}

/** The user, or the reason of the refusal. */
async function verify(token: string, changes: Partial<Expectations> = {}): Promise<string> {
  const verifier = createTokenVerifier({ ...expected, ...changes }, findKey);
  try {
    return subjectOf(await verifier(new Secret(token), new Date(NOW * 1_000)));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    expect(error.code).toBe(error.reason === 'token_expired' ? 'token_expired' : 'token_invalid');
    expect(error.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(CANARY);
    return error.reason;
  }
}

test('a token as jose makes it is accepted', async () => {
  const token = await new SignJWT({ ...claimsOf() }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
  expect(await verify(token)).toBe('alice');
});

describe('the type', () => {
  test.each([
    'JWT',
    'jwt',
    'Jwt',
    'application/jwt',
    'at+jwt',
    'AT+JWT',
    'application/at+jwt',
    'Application/AT+JWT',
  ])('%s is accepted', async (typ) => {
    expect(await verify(await sign(claimsOf(), { typ }))).toBe('alice');
  });

  test.each([
    ...[
      'logout+jwt',
      'dpop+jwt',
      'secevent+jwt',
      'id+jwt',
      'oauth-authz-req+jwt',
      'client-authentication+jwt',
    ],
    ...['token-introspection+jwt', 'kb+jwt', 'vc+sd-jwt', 'entity-statement+jwt', 'JOSE', 'JWS', 'JWT ', ''],
    ...['application/dpop+jwt', 'application/application/jwt', 'text/jwt', 'jwt;x=1', ' jwt', 'at+jwt,jwt'],
    ...[null, 0, true, ['JWT'], { typ: 'JWT' }],
  ])('%j is refused', async (typ) => {
    expect(await verify(await sign(claimsOf(), { typ }))).toBe('token_type_refused');
  });
});

describe('the header', () => {
  test.each(['jwk', 'jku', 'x5u', 'x5c', 'crit'])(
    'with %s is refused, whatever its value',
    async (member) => {
      for (const value of [null, '', [], {}, ['exp'], 'https://issuer.example/jwks']) {
        expect(await verify(await sign(claimsOf(), { [member]: value }))).toBe('token_header_refused');
      }
    },
  );

  test.each([null, 7, ['a'], { kid: 'a' }])('with the kid %j is refused', async (kid) => {
    expect(await verify(await sign(claimsOf(), { kid }))).toBe('token_header_refused');
  });

  test('with a refused kid is refused before any key is looked for; other kids and none are not', async () => {
    const token = await sign(claimsOf(), { kid: 'stolen' });
    const verifier = createTokenVerifier(expected, async () => expect.unreachable());
    await expect(verifier(new Secret(token), new Date(NOW * 1_000))).rejects.toMatchObject({
      code: 'token_invalid',
      reason: 'token_key_refused',
    });
    expect(await verify(await sign(claimsOf(), { kid: 'Stolen' }))).toBe('alice');
    expect(await verify(await sign(claimsOf()))).toBe('alice');
  });
});

describe('the times', () => {
  test.each<[claims: Members, outcome: string]>([
    [{ exp: NOW - 10 + DAY }, 'alice'],
    [{ exp: NOW - 10 + DAY + 1 }, 'token_lifetime_too_long'],
    [{ iat: 0, exp: NOW + 60 }, 'token_lifetime_too_long'],
    [{ iat: 1, exp: 10 * 365 * DAY }, 'token_expired'],
    [{ iat: -NOW }, 'token_lifetime_too_long'],
    [{ iat: NOW + 5, exp: NOW + 60 }, 'alice'],
    [{ iat: NOW + 6, exp: NOW + 60 }, 'token_issued_in_future'],
    [{ iat: NOW + 3, exp: NOW + 3 }, 'token_expiry_before_issue'],
    [{ iat: NOW + 3, exp: NOW + 2 }, 'token_expiry_before_issue'],
    [{ exp: Number.MAX_SAFE_INTEGER }, 'token_lifetime_too_long'],
    [{ exp: Number.MAX_SAFE_INTEGER + 1 }, 'token_time_malformed'],
    [{ exp: NOW + 60.5 }, 'token_time_malformed'],
    [{ iat: NOW - 0.5 }, 'token_time_malformed'],
    [{ nbf: NOW - 0.5 }, 'token_time_malformed'],
    [{ nbf: NOW - 1 }, 'alice'],
    [{ nbf: NOW + 60 }, 'token_not_yet_valid'],
    [{ exp: '1900000000' }, 'token_claim_malformed'],
    [{ nbf: null }, 'token_claim_malformed'],
    [{ exp: [NOW + 60] }, 'token_claim_malformed'],
    [{ exp: undefined }, 'token_claim_missing'],
  ])('%j: %s', async (changes, outcome) => {
    expect(await verify(await sign(claimsOf(changes)))).toBe(outcome);
  });

  test.each([
    ['"exp":1e308', 'token_time_malformed'],
    ['"exp":1e999', 'token_time_malformed'],
    ['"iat":-1e999,"exp":1800000060', 'token_time_malformed'],
    ['"exp":1800000060,"nbf":-1e308', 'token_time_malformed'],
  ])('%s: %s', async (text, outcome) => {
    const iat = text.includes('iat') ? '' : `"iat":${NOW},`;
    const claims = `{"iss":"${ISSUER}","sub":"alice",${iat}${text}}`;
    expect(await verify(await sign(claims))).toBe(outcome);
  });

  test('a longer lifetime is accepted where it is configured', async () => {
    const token = await sign(claimsOf({ exp: NOW + 2 * DAY }));
    expect(await verify(token)).toBe('token_lifetime_too_long');
    expect(await verify(token, { maxTokenSeconds: 3 * DAY })).toBe('alice');
  });
});

describe('the audience and the party', () => {
  test.each<[claims: Members, expectations: Partial<Expectations>, outcome: string]>([
    [{ aud: 'a' }, {}, 'alice'],
    [{ aud: ['a', 'b'] }, {}, 'alice'],
    [{ aud: [] }, {}, 'alice'],
    [{ aud: 7 }, {}, 'token_audience_malformed'],
    [{ aud: { a: 1 } }, {}, 'token_audience_malformed'],
    [{ aud: ['a', 7] }, {}, 'token_audience_malformed'],
    [{ aud: ['a', ['b']] }, { audience: ['a'] }, 'token_audience_malformed'],
    [{ aud: [['a']] }, { audience: ['a'] }, 'token_audience_wrong'],
    [{ aud: 'ab' }, { audience: ['a'] }, 'token_audience_wrong'],
    [{ aud: [] }, { audience: ['a'] }, 'token_audience_wrong'],
    [{}, { audience: ['a'] }, 'token_audience_missing'],
    [{ azp: 'p' }, {}, 'alice'],
    [{ azp: 'p' }, { authorizedParties: ['q', 'p'] }, 'alice'],
    [{ azp: ['p'] }, { authorizedParties: ['p'] }, 'token_party_malformed'],
    [{ azp: ['p'] }, {}, 'token_party_malformed'],
    [{ azp: null }, {}, 'token_party_malformed'],
    [{ azp: 7 }, { authorizedParties: ['7'] }, 'token_party_malformed'],
    [{ azp: 'P' }, { authorizedParties: ['p'] }, 'token_party_wrong'],
    [{}, { authorizedParties: ['undefined'] }, 'token_party_wrong'],
  ])('%j where %j is expected: %s', async (changes, expectations, outcome) => {
    expect(await verify(await sign(claimsOf(changes)), expectations)).toBe(outcome);
  });
});

describe('a token that its sender would have to prove a key for is refused', () => {
  test.each([{ jkt: 'x' }, { jwk: {} }, { 'x5t#S256': 'x' }, {}, null, ''])('cnf: %j', async (cnf) => {
    expect(await verify(await sign(claimsOf({ cnf })))).toBe('token_sender_constrained');
  });
});

describe('a token of a program, without a user, is refused', () => {
  test.each<[shape: string, claims: Members]>([
    ['Auth0’s subject', { sub: 'abc@clients' }],
    ['Auth0’s grant', { sub: 'abc', gty: 'client-credentials' }],
    ['a list of grants', { gty: ['client_credentials'] }],
    ['RFC 9068, Cognito', { sub: 'client-1', client_id: 'client-1' }],
    ['Okta', { sub: '0oa1', cid: '0oa1' }],
    ['Google’s service accounts', { sub: '1234', azp: '1234' }],
    ['Entra’s application id', { sub: 'app-1', appid: 'app-1' }],
    ['Entra’s type of identity', { idtyp: 'app' }],
  ])('%s', async (_shape, claims) => {
    expect(await verify(await sign(claimsOf(claims)))).toBe('token_without_user');
  });

  test.each<[shape: string, claims: Members]>([
    ['of Auth0', { sub: 'auth0|5a62', azp: 'client-1', aud: ['https://api.example', 'https://x/userinfo'] }],
    ['of Auth0 by password', { gty: 'password' }],
    ['of Clerk', { sub: 'user_2abc', azp: 'https://app.example', sid: 'sess_1', v: 2 }],
    ['of Okta', { sub: 'alice@app.example', cid: '0oa1', uid: '00u1' }],
    ['of Cognito', { sub: 'f0e1', client_id: 'client-1', token_use: 'access', username: 'alice' }],
    ['of Supabase', { sub: 'b0c1', aud: 'authenticated', role: 'authenticated', is_anonymous: false }],
    ['of Entra', { sub: 'AAAA', azp: 'app-1', idtyp: 'user' }],
  ])('and one of a user is not: %s', async (_shape, claims) => {
    expect(await verify(await sign(claimsOf(claims)))).toBe(claims.sub ?? 'alice');
  });
});

test('whatever a signed token contains, it is refused or names exactly its sub', async () => {
  const anything = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('alice', 'JWT', 'at+jwt', ISSUER, 'stolen', NOW, NOW + 60, NOW - 10, 1e308, -0),
  );
  const names = ['iss', 'sub', 'iat', 'exp', 'nbf', 'aud', 'azp', 'cnf', 'client_id', 'gty', 'idtyp'];
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...names), anything, { maxKeys: 3 }),
      fc.dictionary(fc.constantFrom('typ', 'kid', 'crit', 'cty', 'zip'), anything, { maxKeys: 1 }),
      async (changes, header) => {
        const claims = claimsOf(changes);
        const outcome = await verify(await sign(claims, header));
        if (!outcome.startsWith('token_')) {
          expect(outcome).toBe(claims.sub);
          expect(Number.isSafeInteger(claims.exp) && Number(claims.exp) > NOW - 6).toBe(true);
          expect(claims).not.toHaveProperty('cnf');
        }
      },
    ),
    { numRuns: 1_000 },
  );
});
