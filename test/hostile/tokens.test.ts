/** Tokens of every malformed, forged, stolen and misplaced kind: none of them is anybody. */
import { afterAll, beforeAll, expect } from 'vitest';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { defineFamily, seededNumbers, titleOf } from './family.ts';
import { createForge, encode, type Forge, type Forged, hmac, type KeyName, kidOf } from './forge.ts';
import { assertPaidBy, assertPromises, DECOY, TOKEN_REFUSED } from './promises.ts';
import {
  AUDIENCE,
  AUTHORIZED_PARTY,
  type Person,
  type RequestParts,
  type Service,
  startService,
} from './start-service.ts';

const KEYS: readonly ProviderId[] = ['openai', 'anthropic', 'gemini'];
const attack = defineFamily('tokens');
const random = seededNumbers(1);

let service: Service;
let forge: Forge;
let alice: Person;
let mallory: Person;

beforeAll(async () => {
  service = await startService();
  alice = await service.person('alice', KEYS);
  mallory = await service.person('mallory', KEYS);
  forge = await createForge(service.world);
  service.recompose();
  await service.settle();
});
afterAll(() => service.close());

/** Where a bad token is tried, in turn. Each would read, change or use what alice has. */
const targets: readonly (readonly [method: string, target: string, json?: unknown])[] = [
  ['GET', '/api/keys'],
  ['GET', '/api/proxy/openai/v1/models'],
  ['DELETE', '/api/keys'],
  ['GET', '/api/account'],
  ['PUT', '/api/keys/openai', { key: 'stolen-by-mallory-0123456789' }],
  ['POST', '/api/generate', { prompt: 'Hello' }],
  ['DELETE', '/api/account'],
  ['POST', '/api/proxy/anthropic/v1/messages', { model: 'm', messages: [] }],
  ['PATCH', '/api/keys/openai', { guards: { paused: true } }],
  ['GET', '/api/audit'],
  ['DELETE', '/api/keys/openai'],
  ['GET', '/api/keys/copilotkit'],
  ['GET', '/api/usage'],
  ['PATCH', '/api/onboarding', { step: 'api-keys', status: 'completed' }],
  ['POST', '/api/search', { query: 'x' }],
  ['POST', '/api/keys/openai'],
];

/** The request is refused as nobody's: no KV request, no provider call. */
async function assertRefused(parts: RequestParts, index: number, token: string): Promise<void> {
  const [method, target, json] = targets[index % targets.length] ?? targets[0] ?? ['GET', '/api/keys'];
  await assertNobody(target, { method, ...(json === undefined ? {} : { json }), ...parts }, token);
}

async function assertNobody(target: string, parts: RequestParts, token: string): Promise<void> {
  await service.settle();
  const [requests, calls] = [service.world.kv.requests.length, service.world.calls.length];
  const exchange = await service.send(target, parts);
  // 431: Node refuses headers over 16 KB before anybody reads them.
  assertPromises(service, exchange, [...TOKEN_REFUSED, 431, 400], token.length > 20 ? [token] : []);
  expect(service.world.kv.requests.slice(requests)).toEqual([]);
  assertPaidBy(service, undefined, calls);
}

/** A signed token with an oddity that need not matter: it is refused, or it is alice and nobody else. */
async function assertAliceOrNobody(parts: RequestParts): Promise<void> {
  const calls = service.world.calls.length;
  const answer = assertPromises(service, await service.send('/api/proxy/openai/v1/models', parts), [
    200,
    ...TOKEN_REFUSED,
  ]);
  await service.settle();
  assertPaidBy(service, answer.status === 200 ? alice : undefined, calls);
}

const SECONDS = Math.floor(Date.now() / 1000);
type Make = () => string;
const forged =
  (change: Forged, sub = 'alice'): Make =>
  () =>
    forge.token(sub, change);
const titled = (values: readonly unknown[], make: (value: unknown) => Make) =>
  values.map((value) => [titleOf(value), make(value)] as const);
const refuse = (make: Make, _name: string, index: number) => {
  const token = make();
  return assertRefused({ token }, index, token);
};

// The signature's algorithm

const ALGORITHMS: readonly unknown[] = [
  ...[
    'none',
    'None',
    'NONE',
    'nOnE',
    '',
    ' ',
    'HS256',
    'HS384',
    'HS512',
    'hs256',
    'RS1',
    'ES256K',
    'RSA1_5',
    'dir',
    'A256GCM',
  ],
  ...[
    'es256',
    'ES256 ',
    'ES256\u0000',
    'ES257',
    'X25519',
    'ECDH-ES',
    'PBES2-HS256+A128KW',
    'constructor',
    '__proto__',
  ],
  ...[null, 0, 1, true, [], ['ES256'], ['none'], {}, { alg: 'ES256' }, undefined],
];
const SIGNATURES: readonly (readonly [string, (signed: string) => Buffer | string])[] = [
  ['no signature', () => ''],
  ['a valid signature', (signed) => forge.sign(signed, 'ES256')],
  ['an HMAC with the public PEM', (signed) => hmac('sha256', forge.publicPem.ES256)(signed)],
  ['an HMAC with the public JWK', (signed) => hmac('sha256', JSON.stringify(forge.jwks.keys[0]))(signed)],
  ['an HMAC with an empty key', (signed) => hmac('sha256', '')(signed)],
];
attack(
  'an algorithm that is not allowed is refused',
  ALGORITHMS.flatMap((alg) =>
    SIGNATURES.map(
      ([how, signature]) => [`${titleOf(alg)} and ${how}`, forged({ header: { alg }, signature })] as const,
    ),
  ),
  refuse,
);

const ALLOWED = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
attack(
  'an algorithm that does not fit the key is refused',
  (['ES256', 'RS256', 'EdDSA'] as const).flatMap((key) =>
    ALLOWED.filter((alg) => alg !== key && !(key === 'EdDSA' && alg === 'Ed25519')).map(
      (alg) => [`${alg} with the key for ${key}`, forged({ key, header: { alg, kid: kidOf(key) } })] as const,
    ),
  ),
  refuse,
);

// Whose signature it is

const byAttacker =
  (header: () => Record<string, unknown>): Make =>
  () =>
    forge.token('alice', { key: 'attacker', header: header() });
const ELSEWHERE = 'http://127.0.0.1:9/jwks.json';
attack(
  'a token that brings or names its own key is refused',
  [
    ['signed by a stranger under a published kid', byAttacker(() => ({}))],
    ['signed by a stranger without a kid', byAttacker(() => ({ kid: undefined }))],
    ['with the key as jwk', byAttacker(() => ({ jwk: forge.publicJwk.attacker }))],
    ['with the key as jwk and no kid', byAttacker(() => ({ jwk: forge.publicJwk.attacker, kid: undefined }))],
    ['with the private key as jwk', byAttacker(() => ({ jwk: forge.privateJwk.attacker }))],
    ['with a jwk that is a secret', byAttacker(() => ({ jwk: { kty: 'oct', k: encode('secret') } }))],
    ...['jku', 'x5u'].flatMap((member) =>
      [ELSEWHERE, '', 'file:///etc/passwd', 'http://169.254.169.254/', null, [ELSEWHERE]].map(
        (value) => [`${member} ${titleOf(value)}`, byAttacker(() => ({ [member]: value }))] as const,
      ),
    ),
    ...[['MIIB'], 'MIIB', [], null, {}].map(
      (x5c) => [`x5c ${titleOf(x5c)}`, byAttacker(() => ({ x5c }))] as const,
    ),
    ...['jwk', 'jku', 'x5u', 'x5c', 'crit'].flatMap((member) =>
      [null, '', [], ['exp'], ['b64'], 'exp', {}, 0].map(
        (value) =>
          [
            `the issuer’s own signature and ${member} ${titleOf(value)}`,
            forged({ header: { [member]: value } }),
          ] as const,
      ),
    ),
    ['crit with an unencoded payload', forged({ header: { crit: ['b64'], b64: false } })],
    ['crit with a member that is absent', forged({ header: { crit: ['nothing'] } })],
  ],
  refuse,
);

const KIDS: readonly unknown[] = [
  ...[
    '',
    ' ',
    'unknown',
    '../../../etc/passwd',
    '/dev/null',
    '..%2f..%2fkey',
    "' OR 1=1 --",
    "x' UNION SELECT 'key'; --",
  ],
  ...[
    'kid-of-es256\u0000',
    'kid-of-es256 ',
    'KID-OF-ES256',
    'kid-of-rs256',
    'kid-of-eddsa',
    '__proto__',
    'constructor',
    'keys',
  ],
  ...[
    'http://127.0.0.1:9/key',
    '$(id)',
    '`id`',
    '| id',
    `\${jndi:ldap://127.0.0.1/a}`,
    'é',
    '\u202ekid',
    'k'.repeat(4_000),
    '*',
    '0',
  ],
];
attack(
  'a kid that the issuer does not publish is refused',
  titled(KIDS, (kid) => forged({ header: { kid } })),
  refuse,
);

attack(
  'a kid that is no text is ignored or refused',
  titled([null, 0, 1, true, false, [], ['kid-of-es256'], {}, undefined], (kid) =>
    forged({ header: { kid } }),
  ),
  (make) => assertAliceOrNobody({ token: make() }),
);

// What kind of token it is

attack(
  'a token of another type is refused',
  titled(
    [
      ...[
        'logout+jwt',
        'dpop+jwt',
        'secevent+jwt',
        'application/logout+jwt',
        'kb+jwt',
        'vc+sd-jwt',
        'wallet-attestation+jwt',
      ],
      ...[
        'client-authentication+jwt',
        'oauth-authz-req+jwt',
        'token-introspection+jwt',
        'entity-statement+jwt',
        'id+jwt',
      ],
      ...[
        'JWE',
        'JOSE',
        'JOSE+JSON',
        'refresh+jwt',
        'at+jwt2',
        'at+jwt,JWT',
        'JWT\u0000',
        ' ',
        'x',
        'constructor',
      ],
      ...[1, true, [], ['JWT'], {}, { typ: 'JWT' }],
    ],
    (typ) => forged({ header: { typ } }),
  ),
  refuse,
);
attack(
  'a token that is bound to a key of its holder is refused',
  titled(
    [{ jkt: 'x' }, { jwk: {} }, { 'x5t#S256': 'x' }, { kid: 'x' }, {}, [], '', 'x', null, 0, false],
    (cnf) => forged({ claims: { cnf } }),
  ),
  refuse,
);

// Times

const TIMES: readonly unknown[] = [
  null,
  '',
  '9999999999',
  String(SECONDS + 60),
  true,
  false,
  [],
  [SECONDS + 60],
  {},
  1e308,
  -1e308,
];
attack(
  'an unusable exp is refused',
  titled(
    [
      ...TIMES,
      undefined,
      0,
      -1,
      1,
      SECONDS - 60,
      SECONDS - 6,
      SECONDS + 0.5 + 60,
      2 ** 53,
      2 ** 53 + 2,
      1e20,
      SECONDS + 90_000,
      SECONDS * 1000,
    ],
    (exp) => forged({ claims: { exp } }),
  ),
  refuse,
);
attack(
  'an unusable iat is refused',
  titled(
    [
      ...TIMES,
      undefined,
      0,
      -1,
      1,
      SECONDS + 600,
      SECONDS - 0.5,
      2 ** 53,
      -(2 ** 53),
      1e20,
      SECONDS - 90_000,
      SECONDS * 1000,
    ],
    (iat) => forged({ claims: { iat } }),
  ),
  refuse,
);
attack(
  'an unusable nbf is refused',
  titled([...TIMES.filter((value) => value !== -1e308), SECONDS + 600, 2 ** 53, 1e20], (nbf) =>
    forged({ claims: { nbf } }),
  ),
  refuse,
);
attack(
  'a token that lives longer than a day is refused',
  [86_460, 7 * 86_400, 365 * 86_400, 3_650 * 86_400].flatMap((lifetime) =>
    [SECONDS, SECONDS - 3_600].map(
      (iat) =>
        [`${lifetime} s from ${iat - SECONDS}`, forged({ claims: { iat, exp: iat + lifetime } })] as const,
    ),
  ),
  refuse,
);

// Who issued it, for whom

const ISSUER = '%ISSUER%';
const issuers: readonly unknown[] = [
  ...[
    '',
    ' ',
    'https://other.example',
    `${ISSUER}/`,
    `${ISSUER} `,
    ` ${ISSUER}`,
    `${ISSUER}.evil.example`,
    `${ISSUER}@evil.example`,
  ],
  ...[
    `${ISSUER}#`,
    `${ISSUER}?`,
    `${ISSUER}\u0000`,
    `${ISSUER}/.well-known`,
    'HTTP://127.0.0.1',
    'http://localhost',
  ],
  ...[undefined, null, 0, true, [ISSUER], [], {}, { iss: ISSUER }],
];
attack(
  'a token of another issuer is refused, whoever signed it',
  issuers.map((value) => [
    titleOf(value),
    () => {
      const text = JSON.stringify({ iss: value })?.replaceAll(ISSUER, service.world.issuer.url);
      const iss: unknown = JSON.parse(text).iss;
      return forge.token('alice', { claims: { iss } });
    },
  ]),
  refuse,
);
attack(
  'a token for another audience is refused',
  titled(
    [
      undefined,
      null,
      '',
      'other',
      `${AUDIENCE} `,
      ` ${AUDIENCE}`,
      AUDIENCE.toUpperCase(),
      `${AUDIENCE},other`,
      `${AUDIENCE}\u0000`,
      '*',
      [],
      ['other'],
      [[AUDIENCE]],
      [1],
      [null],
      {},
      { [AUDIENCE]: true },
      1,
      true,
      AUDIENCE.slice(1),
    ],
    (aud) => forged({ claims: { aud } }),
  ),
  refuse,
);
attack(
  'a token of another party is refused',
  titled(
    [
      undefined,
      null,
      '',
      'other',
      `${AUTHORIZED_PARTY}/`,
      `${AUTHORIZED_PARTY} `,
      AUTHORIZED_PARTY.toUpperCase(),
      [AUTHORIZED_PARTY],
      [[AUTHORIZED_PARTY]],
      [],
      {},
      { toString: AUTHORIZED_PARTY },
      1,
      true,
      '*',
      `${AUTHORIZED_PARTY},x`,
    ],
    (azp) => forged({ claims: { azp } }),
  ),
  refuse,
);

// Whom it names

const NOBODIES: readonly unknown[] = [
  ...[
    undefined,
    null,
    0,
    1,
    -1,
    1.5,
    true,
    false,
    [],
    ['alice'],
    [['alice']],
    {},
    { sub: 'alice' },
    { toString: 'alice' },
  ],
  ...[
    '',
    'a'.repeat(256),
    'a'.repeat(10_000),
    'аlice',
    'alicé',
    'ａlice',
    'alice\u0000',
    '\u0000',
    'alice\n',
    'alice\r\n',
    'al\tice',
  ],
  ...[
    'alice\u007f',
    'alice\u0080',
    'alice\u200b',
    '\ufeffalice',
    '\u202ealice',
    '😀',
    '\ud800',
    'alice\udfff',
    'İ',
    'ſ',
    'alice\u2028',
  ],
];
attack(
  'a subject that is no user id is refused',
  titled(NOBODIES, (sub) => forged({ claims: { sub } })),
  refuse,
);
attack(
  'a token of a client without a user is refused',
  [
    [
      'of Auth0',
      forged({ claims: { sub: 'abc@clients', azp: AUTHORIZED_PARTY, gty: 'client-credentials' } }),
    ],
    ['of Auth0 for alice', forged({ claims: { sub: 'alice@clients', gty: 'client-credentials' } })],
    ['whose subject ends in @clients', forged({ claims: { sub: 'abc@clients' } })],
  ],
  refuse,
);

// Payloads and headers as raw text

const RAW: readonly string[] = [
  ...[
    '',
    ' ',
    'null',
    'true',
    '1',
    '"alice"',
    '[]',
    '[{"sub":"alice"}]',
    '{',
    '}',
    '{}',
    '{"sub":"alice"',
    "{'sub':'alice'}",
  ],
  ...[
    'bytes:\xff\xfe',
    'bytes:{"sub":"\xff"}',
    '\ufeff{}',
    '{"__proto__":{"sub":"alice"}}',
    '{"constructor":{"sub":"alice"}}',
    'undefined',
    'NaN',
  ],
  ...[`${'['.repeat(5_000)}${']'.repeat(5_000)}`, `{"a":${'{"a":'.repeat(3_000)}1${'}'.repeat(3_000)}}`],
];
attack(
  'a payload that is not an object of claims is refused',
  titled(RAW, (claims) => forged({ claims: String(claims) })),
  refuse,
);
attack(
  'a header that is not an object is refused',
  titled(RAW, (header) => forged({ header: String(header) })),
  refuse,
);

// The text of a token

const signed = (): readonly [string, string, string] => {
  const [head = '', body = '', signature = ''] = forge.token('alice').split('.');
  return [head, body, signature];
};
/** Changes one bit of a base64url part, never one of the last character, where bits can be without meaning. */
function flipBit(part: string, seed: number): string {
  const bytes = Buffer.from(part, 'base64url');
  const at = seed % (bytes.length - 1);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (seed % 8));
  return bytes.toString('base64url');
}
const flips = (count: number) => Array.from({ length: count }, () => random(1_000_000));
const withSignature =
  (signature: (real: string) => string): Make =>
  () => {
    const [head, body, real] = signed();
    return `${head}.${body}.${signature(real)}`;
  };
const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
const zeros = (length: number) => Buffer.alloc(length);
attack(
  'a token whose bits were changed is refused',
  [
    ...flips(24).map(
      (seed, index) => [`signature, bit ${index}`, withSignature((real) => flipBit(real, seed))] as const,
    ),
    ...flips(20).map(
      (seed, index) =>
        [
          `payload, bit ${index}`,
          () =>
            signed()
              .map((part, at) => (at === 1 ? flipBit(part, seed) : part))
              .join('.'),
        ] as const,
    ),
    ...flips(12).map(
      (seed, index) =>
        [
          `header, bit ${index}`,
          () =>
            signed()
              .map((part, at) => (at === 0 ? flipBit(part, seed) : part))
              .join('.'),
        ] as const,
    ),
  ],
  refuse,
);
attack(
  'a signature that is no signature is refused',
  [
    ...[1, 2, 10, 40, 85].map(
      (cut) => [`without its last ${cut} characters`, withSignature((real) => real.slice(0, -cut))] as const,
    ),
    ['empty', withSignature(() => '')],
    ['all zero', withSignature(() => zeros(64).toString('base64url'))],
    ['of the order of the curve', withSignature(() => Buffer.concat([ORDER, ORDER]).toString('base64url'))],
    [
      'r zero',
      withSignature((real) =>
        Buffer.concat([zeros(32), Buffer.from(real, 'base64url').subarray(32)]).toString('base64url'),
      ),
    ],
    [
      's zero',
      withSignature((real) =>
        Buffer.concat([Buffer.from(real, 'base64url').subarray(0, 32), zeros(32)]).toString('base64url'),
      ),
    ],
    ['all ones', withSignature(() => Buffer.alloc(64, 255).toString('base64url'))],
    [
      'in DER',
      withSignature(() => Buffer.concat([Buffer.from('3006020101020101', 'hex')]).toString('base64url')),
    ],
    ['twice', withSignature((real) => real + real)],
    [
      'with one byte more',
      withSignature((real) =>
        Buffer.concat([Buffer.from(real, 'base64url'), zeros(1)]).toString('base64url'),
      ),
    ],
    [
      'of another token of alice',
      withSignature(() => forge.token('alice', { claims: { x: 1 } }).split('.')[2] ?? ''),
    ],
    ['of mallory’s token', withSignature(() => forge.token('mallory').split('.')[2] ?? '')],
    [
      'mallory’s claims under alice’s signature',
      () => [signed()[0], forge.token('mallory').split('.')[1], signed()[2]].join('.'),
    ],
    [
      'of the wrong hash',
      () => forge.token('alice', { signature: (text) => forge.sign(text, 'ES256', 'sha512') }),
    ],
    [
      'of the payload alone',
      () => forge.token('alice', { signature: (text) => forge.sign(text.split('.')[1] ?? '', 'ES256') }),
    ],
    ['that is not base64url', withSignature(() => '!!!!')],
  ],
  refuse,
);
attack(
  'a token that is not three parts is refused',
  [
    ['one part', () => signed()[0]],
    ['two parts', () => signed().slice(0, 2).join('.')],
    ['four parts', () => [...signed(), 'x'].join('.')],
    ['five parts, as a JWE', () => [...signed(), 'x', 'y'].join('.')],
    ['a dot in front', () => `.${signed().join('.')}`],
    ['a dot behind', () => `${signed().join('.')}.`],
    ['two dots', () => signed().join('..')],
    ['only dots', () => '..'],
    ['no header', () => `.${signed().slice(1).join('.')}`],
    ['no payload', () => `${signed()[0]}..${signed()[2]}`],
    ['colons instead of dots', () => signed().join(':')],
    [
      'a JSON serialization',
      () =>
        encode(
          JSON.stringify({
            payload: signed()[1],
            signatures: [{ protected: signed()[0], signature: signed()[2] }],
          }),
        ),
    ],
    ['reversed', () => [...signed()].reverse().join('.')],
    ['upper case', () => signed().join('.').toUpperCase()],
    ['encoded again', () => encode(signed().join('.'))],
    ['percent-encoded', () => signed().join('.').replaceAll('.', '%2e')],
    ['a word', () => 'alice'],
    ['a provider key', () => alice.keys.get('openai') ?? ''],
    ['the KV token', () => service.world.kv.token],
    ['the cron secret', () => service.world.env.CRON_SECRET ?? ''],
    ['undefined', () => 'undefined'],
    ['null', () => 'null'],
    ['an object', () => '[object Object]'],
  ],
  refuse,
);
attack(
  'white space in a token is refused',
  [' ', '\t', '\u00a0', '\u200b', '%20', '+', '=', '\u0085'].flatMap((space) =>
    [0, 1, 2].map(
      (part) =>
        [
          `${titleOf(space)} in part ${part}`,
          () =>
            signed()
              .map((text, at) => (at === part ? `${text.slice(0, 9)}${space}${text.slice(9)}` : text))
              .join('.'),
        ] as const,
    ),
  ),
  refuse,
);
attack(
  'an oversized token is refused',
  [12_100, 12_288, 14_000, 20_000, 60_000].map(
    (size) => [`${size} bytes of claims`, forged({ claims: { x: 'x'.repeat(size) } })] as const,
  ),
  refuse,
);
attack(
  'oddities that a verifier may accept are alice or nobody',
  [
    [
      'sub twice',
      () =>
        forge.token('', {
          claims: JSON.stringify(claimsOf('mallory')).replace(
            '"sub":"mallory"',
            '"sub":"mallory","sub":"alice"',
          ),
        }),
    ],
    ['padding', () => `${signed().join('.')}=`],
    ['typ at+jwt', forged({ header: { typ: 'at+jwt' } })],
    ['no typ', forged({ header: { typ: undefined } })],
    ['unknown header members', forged({ header: { zip: 'DEF', cty: 'JWT', x: 1 } })],
    ['__proto__ in the claims', forged({ claims: { __proto__x: 1 } })],
    ['aud as a list', forged({ claims: { aud: [AUDIENCE, 'other'] } })],
    ['RS256', forged({ key: 'RS256' })],
    ['EdDSA', forged({ key: 'EdDSA' })],
    ['nbf of long ago', forged({ claims: { nbf: 1 } })],
    [
      'roles that mean nothing here',
      forged({ claims: { role: 'admin', user: 'mallory', uid: 'mallory', email: 'mallory' } }),
    ],
  ],
  (make) => assertAliceOrNobody({ token: make() }),
);

function claimsOf(sub: string): unknown {
  return JSON.parse(Buffer.from(forge.token(sub).split('.')[1] ?? '', 'base64url').toString());
}

// Where it is sent

type Placed = (token: string) => readonly [target: string, parts: RequestParts];
const header =
  (name: string, value: (token: string) => string): Placed =>
  (token) => ['/api/keys', { headers: [[name, value(token)]] }];
const places: readonly (readonly [string, Placed])[] = [
  ...[
    'token',
    'access_token',
    'authorization',
    'Authorization',
    'jwt',
    'id_token',
    'api_key',
    'key',
    'bearer',
  ].map(
    (name) => [`in the query as ${name}`, ((token) => [`/api/keys?${name}=${token}`, {}]) as Placed] as const,
  ),
  ['in the query with a scheme', (token) => [`/api/keys?authorization=Bearer%20${token}`, {}]],
  ['in the fragment', (token) => [`/api/keys#access_token=${token}`, {}]],
  ...['token', 'session', '__session', 'authorization', 'access_token', '__Host-session'].map(
    (name) => [`in the cookie ${name}`, header('Cookie', (token) => `${name}=${token}`)] as const,
  ),
  [
    'in a form body',
    (token) => [
      '/api/generate',
      {
        method: 'POST',
        body: `access_token=${token}`,
        headers: [['Content-Type', 'application/x-www-form-urlencoded']],
      },
    ],
  ],
  [
    'in a JSON body',
    (token) => [
      '/api/generate',
      { method: 'POST', json: { token, access_token: token, authorization: `Bearer ${token}`, prompt: 'x' } },
    ],
  ],
  ...[
    'Basic',
    'Token',
    'JWT',
    'DPoP',
    'Digest',
    'Negotiate',
    'MAC',
    'OAuth',
    'Bearer,',
    'Bearer:',
    'Bearer=',
    'Bearers',
    'XBearer',
    '"Bearer"',
  ].map(
    (scheme) =>
      [`with the scheme ${scheme}`, header('Authorization', (token) => `${scheme} ${token}`)] as const,
  ),
  ['without a scheme', header('Authorization', (token) => token)],
  ['without a space', header('Authorization', (token) => `Bearer${token}`)],
  ['after a tab', header('Authorization', (token) => `Bearer\t${token}`)],
  ['in quotes', header('Authorization', (token) => `Bearer "${token}"`)],
  ['as a parameter', header('Authorization', (token) => `Bearer token="${token}"`)],
  [
    'as Basic credentials',
    header('Authorization', (token) => `Basic ${Buffer.from(`alice:${token}`).toString('base64')}`),
  ],
  ['only a scheme', header('Authorization', () => 'Bearer')],
  ['a scheme and a space', header('Authorization', () => 'Bearer ')],
  ['a list of two', header('Authorization', (token) => `Bearer ${token}, Bearer ${token}`)],
  ['behind another token', header('Authorization', (token) => `Bearer x.y.z ${token}`)],
  ...[
    'X-Authorization',
    'X-Auth-Token',
    'X-Access-Token',
    'X-Forwarded-Authorization',
    'Proxy-Authorization',
    'X-Api-Key',
    'Api-Key',
    'X-Goog-Api-Key',
    'Xi-Api-Key',
    'Token',
    'Sec-WebSocket-Protocol',
    'X-Vercel-Oidc-Token',
    'Authorization2',
    'X-Amz-Security-Token',
    'X-Clerk-Auth-Token',
    'authorization_',
  ].map(
    (name) =>
      [
        `in the header ${name}`,
        header(name, (token) => (/authorization/i.test(name) ? `Bearer ${token}` : token)),
      ] as const,
  ),
];
attack('a token that is sent elsewhere is no token', places, async (place) => {
  const [target, parts] = place(alice.token);
  await assertNobody(target, parts, alice.token);
});
attack(
  'a header that names a user is no token',
  [
    'X-User',
    'X-User-Id',
    'X-Forwarded-User',
    'X-Remote-User',
    'Remote-User',
    'X-Auth-User',
    'X-Auth-Sub',
    'X-Vercel-User',
    'X-Clerk-User-Id',
    'X-Amzn-Oidc-Identity',
    'X-Goog-Authenticated-User-Id',
    'X-MS-Client-Principal-Id',
    'Sub',
    'From',
    'X-Tenant',
    'X-Original-User',
    'X-Middleware-Subrequest',
    'X-Internal',
  ].map((name) => [name, name]),
  (name) => assertNobody('/api/keys', { headers: [[name, 'alice']] }, ''),
);
attack(
  'a token in another provider’s header is no token on the gateway',
  (['openai', 'anthropic', 'gemini'] as const).flatMap((provider) =>
    ['x-api-key', 'x-goog-api-key', 'xi-api-key', 'x-copilotcloud-public-api-key', 'api-key']
      .filter(
        (name) =>
          !(provider === 'anthropic' && name === 'x-api-key') &&
          !(provider === 'gemini' && name === 'x-goog-api-key'),
      )
      .map((name) => [`${name} for ${provider}`, [provider, name] as const] as const),
  ),
  ([provider, name]) =>
    assertNobody(`/api/proxy/${provider}/v1/models`, { headers: [[name, alice.token]] }, alice.token),
);
attack(
  'of two credentials on the gateway the token decides, and no other is sent on',
  [
    [
      'a foreign key as Authorization',
      [
        ['Authorization', `Bearer ${DECOY}1`],
        ['X-Api-Key', '%TOKEN%'],
      ],
    ],
    [
      'a foreign key as x-api-key',
      [
        ['Authorization', 'Bearer %TOKEN%'],
        ['X-Api-Key', `${DECOY}2`],
      ],
    ],
    [
      'the token twice',
      [
        ['Authorization', 'Bearer %TOKEN%'],
        ['X-Api-Key', '%TOKEN%'],
      ],
    ],
    ['the token with a scheme', [['X-Api-Key', 'Bearer %TOKEN%']]],
    [
      'keys for other providers',
      [
        ['X-Api-Key', '%TOKEN%'],
        ['X-Goog-Api-Key', `${DECOY}3`],
        ['Xi-Api-Key', `${DECOY}4`],
      ],
    ],
  ] as const,
  async (headers) => {
    const calls = service.world.calls.length;
    const sent = headers.map(([name, value]) => [name, value.replace('%TOKEN%', alice.token)] as const);
    const exchange = await service.send('/api/proxy/anthropic/v1/messages', {
      method: 'POST',
      json: {},
      headers: sent,
    });
    assertPromises(service, exchange, [200, ...TOKEN_REFUSED], [alice.token]);
    await service.settle();
    expect(assertPaidBy(service, alice, calls).length).toBe(exchange.answers[0]?.status === 200 ? 1 : 0);
  },
);
attack(
  'of two Authorization headers one counts or none',
  [
    ['a valid and an invalid one', () => [alice.token, 'x.y.z']],
    ['an invalid and a valid one', () => ['x.y.z', alice.token]],
    ['the same twice', () => [alice.token, alice.token]],
    [
      'an unsigned one and a valid one',
      () => [forge.token('alice', { header: { alg: 'none' }, signature: () => '' }), alice.token],
    ],
  ] as readonly (readonly [string, () => readonly string[]])[],
  (tokens) =>
    assertAliceOrNobody({ headers: tokens().map((token) => ['Authorization', `Bearer ${token}`] as const) }),
);

// Users whose ids look like each other, like KV keys or like patterns

const LOOKALIKES: readonly string[] = [
  ...[
    'A',
    'a',
    ' a',
    'a ',
    'a  ',
    '{a}',
    'a}',
    '{a',
    '{a}:keys',
    'a}:keys',
    '{}',
    '}{',
    'a:',
    ':a',
    'a:keys',
    'keys:a',
    'a:b',
    'a:b:keys',
    '::',
  ],
  ...[
    '*',
    'a*',
    '?',
    '[a]',
    '[^a]',
    'a\\',
    '\\a',
    'a\\*',
    '%61',
    'a%',
    'a%00',
    'a%7D',
    '%7Ba%7D',
    '%2561',
    'a+',
    'a%20',
    '../a',
    'a/../a',
    './a',
    'a/',
    '/a',
  ],
  ...[
    'a"',
    "a'",
    "a'--",
    'a\\"',
    '"a"',
    'a,b',
    'a;b',
    'a|b',
    'a&b',
    'a=b',
    'a<b',
    'a>b',
    '`a`',
    '$a',
    `\${a}`,
    '#{a}',
    '{{a}}',
    '%s',
    '%n',
    '\\x61',
    '\\u0061',
  ],
  ...[
    '0',
    '00',
    '-1',
    '1e3',
    'null',
    'undefined',
    'true',
    'NaN',
    '[object Object]',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
  ],
  ...[
    'userkeys:keys:a',
    'uk:a:keys',
    'auth0|abc',
    'google-oauth2|1',
    'user_2abc',
    'a@b.example',
    'a@b',
    'org:1/user:2',
    'a.b',
    'a-b',
    'a_b',
    '~a',
    '!',
    'a!',
  ],
  'a'.repeat(254),
  'a'.repeat(255),
  `${'a'.repeat(254)}b`,
  '%'.repeat(85),
  '{'.repeat(100),
];
attack(
  'users with lookalike ids have keys of their own',
  LOOKALIKES.map((sub) => [titleOf(sub), sub]),
  async (sub) => {
    const token = forge.token(sub);
    const before = assertPromises(service, await service.send('/api/keys', { token }), [200]);
    expect(JSON.parse(before.text)).toEqual({ keys: [] });
    const key = `own-key-of-${Buffer.from(sub).toString('hex').slice(-40)}-${LOOKALIKES.indexOf(sub)}`;
    assertPromises(
      service,
      await service.send('/api/keys/openai', { method: 'PUT', token, json: { key } }),
      [201],
    );
    const calls = service.world.calls.length;
    assertPromises(service, await service.send('/api/proxy/openai/v1/models', { token }), [200]);
    expect(service.world.calls.slice(calls).map(({ credential }) => credential)).toEqual([key]);
    await service.settle();
  },
);

attack<KeyName>(
  'a valid token is alice’s',
  (['ES256', 'RS256', 'EdDSA'] as const).map((key) => [key, key]),
  async (key) => {
    const calls = service.world.calls.length;
    const token = forge.token('alice', { key });
    assertPromises(service, await service.send('/api/proxy/openai/v1/models', { token }), [200], [token]);
    await service.settle();
    expect(assertPaidBy(service, alice, calls)).toHaveLength(1);
    const own = assertPromises(
      service,
      await service.send('/api/keys', { token: mallory.token.length > 0 ? forge.token('mallory') : '' }),
      [200],
    );
    expect(JSON.parse(own.text).keys).toHaveLength(KEYS.length);
  },
);
