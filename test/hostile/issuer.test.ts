/** An issuer that breaks, stalls, or publishes keys that nobody may trust: 401 or 503, never accepted, never endless. */
import { generateKeyPairSync } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { defineFamily, titleOf } from './family.ts';
import { createForge, type Forge, hmac, type KeyName, kidOf } from './forge.ts';
import { type Allowed, assertPaidBy, assertPromises } from './promises.ts';
import { type Person, type Service, startService } from './start-service.ts';

const KEYS: readonly ProviderId[] = ['openai'];
const attack = defineFamily('issuer');

let service: Service;
let forge: Forge;
let alice: Person;

beforeAll(async () => {
  service = await startService();
  alice = await service.person('alice', KEYS);
  forge = await createForge(service.world);
});
afterAll(() => service.close());
/** Nothing that was fetched before is known. */
beforeEach(async () => {
  await service.settle();
  service.recompose();
});

type Answer = (request: Request) => Response | Promise<Response>;

/** The call is refused as nobody's, or with the issuer as the cause. */
async function assertNotAccepted(
  answer: Answer,
  token: string,
  allowed: Allowed = ['issuer_unavailable', 'token_invalid'],
): Promise<void> {
  const [requests, calls] = [service.world.kv.requests.length, service.world.calls.length];
  service.world.issuer.answerJwksWith(answer);
  const exchange = await service.send('/api/proxy/openai/v1/models', { token });
  assertPromises(service, exchange, allowed, [token]);
  expect(service.world.kv.requests).toHaveLength(requests);
  assertPaidBy(service, undefined, calls);
}

const text =
  (
    body: string | Uint8Array<ArrayBuffer>,
    status = 200,
    headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
  ): Answer =>
  () =>
    new Response([204, 304].includes(status) ? null : body, { status, headers });
const endless =
  (piece: string, everyMs: number): Answer =>
  () => {
    let timer: NodeJS.Timeout;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        timer = setInterval(() => {
          try {
            controller.enqueue(new TextEncoder().encode(piece));
          } catch {
            clearInterval(timer);
          }
        }, everyMs);
      },
      cancel: () => clearInterval(timer),
    });
    return new Response(body);
  };
const valid = (): string => JSON.stringify(forge.jwks);

const BROKEN: readonly (readonly [string, Answer])[] = [
  ...[201, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 410, 418, 429, 500, 502, 503, 504].map(
    (status) =>
      [
        `status ${status} with the keys`,
        (request: Request) =>
          text(valid(), status, { location: `${new URL(request.url).origin}/.well-known/jwks.json?again` })(
            request,
          ),
      ] as const,
  ),
  ...[
    '',
    ' ',
    'null',
    'true',
    '1',
    '"keys"',
    '[]',
    '{}',
    '{"keys":null}',
    '{"keys":{}}',
    '{"keys":"x"}',
    '{"keys":[]}',
    '{"keys":[null]}',
    '{"keys":[1]}',
    '{"keys":[[]]}',
    '{"keys":[{}]}',
    '{"keys":[{"kty":null}]}',
    '{"keys":[{"kty":"x"}]}',
    '{"Keys":[]}',
    '{"__proto__":{"keys":[]}}',
    '{"keys":',
    '<html><script>alert(1)</script></html>',
    'NaN',
    '['.repeat(100_000),
  ].map((body) => [`the body ${titleOf(body)}`, text(body)] as const),
  ['300 KB of white space before the keys', (request) => text(`${' '.repeat(300_000)}${valid()}`)(request)],
  ['5 MB', text(`{"keys":["${'x'.repeat(5_000_000)}"]}`)],
  [
    'a thousand keys',
    (request) =>
      text(JSON.stringify({ keys: Array.from({ length: 1_000 }, () => forge.jwks.keys[0]) }))(request),
  ],
  [
    'the keys in gzip',
    (request) => text(Uint8Array.from(gzipSync(valid())), 200, { 'content-encoding': 'gzip' })(request),
  ],
  ['the keys in UTF-16', (request) => text(Uint8Array.from(Buffer.from(valid(), 'utf16le')))(request)],
  ['unknown bytes', text(new Uint8Array(1_000).fill(255))],
  ['half of the keys', (request) => text(valid().slice(0, 200))(request)],
  ['an error', () => Promise.reject(new Error('broken'))],
  ['an endless body that is fast', endless('x'.repeat(50_000), 1)],
];
attack('an issuer that publishes no key set is unavailable', BROKEN, async (answer) => {
  await assertNotAccepted(answer, forge.token('alice'), ['issuer_unavailable']);
});
attack(
  'a slow issuer is unavailable, in time',
  [
    ['no answer', () => new Promise<Response>(() => undefined)],
    ['headers and nothing more', () => new Response(new ReadableStream())],
    ['a byte every 200 ms', endless(' ', 200)],
  ] as readonly (readonly [string, Answer])[],
  (answer) => assertNotAccepted(answer, forge.token('alice'), ['issuer_unavailable']),
);

// Keys that verify nothing

type Keys = () => readonly object[];
const published = (name: KeyName): object => ({
  ...forge.publicJwk[name],
  kid: kidOf(name),
  alg: name,
  use: 'sig',
});
const instead =
  (name: KeyName, change: () => Record<string, unknown>): Keys =>
  () => [{ ...published(name), ...change() }];
const oct = (more: object = {}): object => ({
  kty: 'oct',
  k: Buffer.from('a symmetric key of 32 characters').toString('base64url'),
  kid: kidOf('ES256'),
  ...more,
});
const shortRsa = generateKeyPairSync('rsa', { modulusLength: 1024 });

const BAD_KEYS: readonly (readonly [string, Keys, () => string])[] = [
  ['a symmetric key', () => [oct()], () => forge.token('alice')],
  [
    'a symmetric key and HS256',
    () => [oct({ alg: 'HS256' })],
    () =>
      forge.token('alice', {
        header: { alg: 'HS256' },
        signature: hmac('sha256', 'a symmetric key of 32 characters'),
      }),
  ],
  [
    'a symmetric key beside a real one, and HS256',
    () => [oct({ alg: 'HS256' }), published('ES256')],
    () =>
      forge.token('alice', {
        header: { alg: 'HS256' },
        signature: hmac('sha256', 'a symmetric key of 32 characters'),
      }),
  ],
  [
    'a symmetric key without alg, and HS256',
    () => [oct({ use: 'sig' })],
    () =>
      forge.token('alice', {
        header: { alg: 'HS256' },
        signature: hmac('sha256', 'a symmetric key of 32 characters'),
      }),
  ],
  ['use enc', instead('ES256', () => ({ use: 'enc' })), () => forge.token('alice')],
  ['use of another kind', instead('ES256', () => ({ use: 'x' })), () => forge.token('alice')],
  ['another alg', instead('ES256', () => ({ alg: 'ES384' })), () => forge.token('alice')],
  [
    'alg none',
    instead('ES256', () => ({ alg: 'none' })),
    () => forge.token('alice', { header: { alg: 'none' }, signature: () => '' }),
  ],
  ['alg HS256 on a public key', instead('ES256', () => ({ alg: 'HS256' })), () => forge.token('alice')],
  ['key_ops for signing only', instead('ES256', () => ({ key_ops: ['sign'] })), () => forge.token('alice')],
  ['key_ops for encryption', instead('ES256', () => ({ key_ops: ['encrypt'] })), () => forge.token('alice')],
  ['another kid', instead('ES256', () => ({ kid: 'other' })), () => forge.token('alice')],
  ['a curve of another name', instead('ES256', () => ({ crv: 'P-384' })), () => forge.token('alice')],
  ['secp256k1', instead('ES256', () => ({ crv: 'secp256k1' })), () => forge.token('alice')],
  [
    'x that is not on the curve',
    instead('ES256', () => ({ x: Buffer.alloc(32, 1).toString('base64url') })),
    () => forge.token('alice'),
  ],
  [
    'x of zero',
    instead('ES256', () => ({
      x: Buffer.alloc(32).toString('base64url'),
      y: Buffer.alloc(32).toString('base64url'),
    })),
    () => forge.token('alice'),
  ],
  ['x that is no text', instead('ES256', () => ({ x: 1 })), () => forge.token('alice')],
  ['no y', instead('ES256', () => ({ y: undefined })), () => forge.token('alice')],
  ['kty RSA on a curve', instead('ES256', () => ({ kty: 'RSA' })), () => forge.token('alice')],
  ['kty in lower case', instead('ES256', () => ({ kty: 'ec' })), () => forge.token('alice')],
  ['a modulus of zero', instead('RS256', () => ({ n: 'AA' })), () => forge.token('alice', { key: 'RS256' })],
  ['an exponent of one', instead('RS256', () => ({ e: 'AQ' })), () => forge.token('alice', { key: 'RS256' })],
  [
    'an exponent of zero',
    instead('RS256', () => ({ e: 'AA' })),
    () => forge.token('alice', { key: 'RS256' }),
  ],
  [
    'RSA with 1024 bits',
    () => [
      { ...shortRsa.publicKey.export({ format: 'jwk' }), kid: kidOf('RS256'), alg: 'RS256', use: 'sig' },
    ],
    () => forge.token('alice', { key: 'RS256' }),
  ],
  [
    'the key of a stranger',
    () => [{ ...published('attacker'), kid: 'stranger' }],
    () => forge.token('alice'),
  ],
  [
    'the key of a stranger under the kid of another alg',
    () => [{ ...published('EdDSA'), kid: kidOf('ES256') }],
    () => forge.token('alice'),
  ],
  [
    'two keys of one kid, and another signature',
    () => [
      published('ES256'),
      { ...published('ES256'), x: forge.publicJwk.attacker.x, y: forge.publicJwk.attacker.y },
    ],
    () => forge.token('alice', { key: 'RS256', header: { kid: kidOf('ES256') } }),
  ],
  ['only keys of other kinds', () => [published('RS256'), published('EdDSA')], () => forge.token('alice')],
  [
    'a certificate instead of a key',
    () => [{ kty: 'EC', kid: kidOf('ES256'), x5c: ['MIIB'] }],
    () => forge.token('alice'),
  ],
  ['a JWE key', () => [{ ...published('ES256'), alg: 'ECDH-ES', use: 'enc' }], () => forge.token('alice')],
  [
    'a URL instead of a key',
    () => [{ kty: 'EC', kid: kidOf('ES256'), jku: 'http://127.0.0.1:9/' }],
    () => forge.token('alice'),
  ],
];
attack(
  'a key that may not verify tokens verifies none',
  BAD_KEYS.map(([name, keys, token]) => [name, { keys, token }]),
  ({ keys, token }) => assertNotAccepted(() => Response.json({ keys: keys() }), token()),
);
attack(
  'a private key that is published is not used to sign, and harms nobody',
  (['ES256', 'RS256', 'EdDSA'] as const).map((name) => [name, name]),
  async (name) => {
    const calls = service.world.calls.length;
    service.world.issuer.answerJwksWith(() =>
      Response.json({ keys: [{ ...forge.privateJwk[name], kid: kidOf(name), alg: name, use: 'sig' }] }),
    );
    const exchange = await service.send('/api/proxy/openai/v1/models', {
      token: forge.token('alice', { key: name }),
    });
    assertPromises(
      service,
      exchange,
      [200, 'token_invalid', 'issuer_unavailable'],
      [String(forge.privateJwk[name].d)],
    );
    await service.settle();
    assertPaidBy(service, exchange.answers[0]?.status === 200 ? alice : undefined, calls);
  },
);
attack(
  'keys that cannot be used do not hide the one that can',
  [
    ['symmetric', () => [oct({ kid: 'other' })]],
    ['of an unknown kty', () => [{ kty: 'AKP', kid: 'pq', alg: 'ML-DSA-65', pub: 'x' }]],
    ['for encryption', () => [{ ...published('RS256'), use: 'enc', kid: 'enc' }]],
    ['without a kid', () => [{ ...published('RS256'), kid: undefined }]],
    ['of the same kid and another kind', () => [{ ...published('RS256'), kid: kidOf('ES256') }]],
    ['broken', () => [{ kty: 'EC', kid: 'broken', crv: 'P-256', x: '', y: '' }]],
    [
      '99 others',
      () => Array.from({ length: 99 }, (_, index) => ({ ...published('RS256'), kid: `other-${index}` })),
    ],
  ] as readonly (readonly [string, Keys])[],
  async (others) => {
    const calls = service.world.calls.length;
    service.world.issuer.answerJwksWith(() => Response.json({ keys: [...others(), published('ES256')] }));
    assertPromises(
      service,
      await service.send('/api/proxy/openai/v1/models', { token: forge.token('alice') }),
      [200],
    );
    await service.settle();
    expect(assertPaidBy(service, alice, calls)).toHaveLength(1);
  },
);

// Keys that change

attack(
  'an outage or a change of keys never lets a wrong token in',
  [
    ['an outage after the first fetch', text('', 500), 'ES256', 200],
    ['an empty set after the first fetch', text('{"keys":[]}'), 'ES256', 200],
    ['an outage and a stranger’s token', text('', 500), 'attacker', 401],
    [
      'the stranger’s key under another kid',
      () => Response.json({ keys: [{ ...published('attacker'), kid: 'stranger' }] }),
      'attacker',
      401,
    ],
  ].map(
    ([name, answer, key, status]) =>
      [String(name), { answer: answer as Answer, key: key as KeyName, status: status as number }] as const,
  ),
  async ({ answer, key, status }) => {
    const calls = service.world.calls.length;
    service.world.issuer.answerJwksWith(() => Response.json(forge.jwks));
    assertPromises(service, await service.send('/api/keys', { token: forge.token('alice') }), [200]);
    service.world.issuer.answerJwksWith(answer);
    const exchange = await service.send('/api/proxy/openai/v1/models', {
      token: forge.token('alice', { key }),
    });
    expect(assertPromises(service, exchange, [200, 'token_invalid']).status).toBe(status);
    await service.settle();
    assertPaidBy(service, status === 200 ? alice : undefined, calls);
  },
);
attack(
  'unknown kids do not make the service ask the issuer each time',
  [['200 of them', 200] as const],
  async (count) => {
    service.world.issuer.answerJwksWith(() => Response.json(forge.jwks));
    const before = service.world.issuer.jwksRequests();
    for (let index = 0; index < count; index += 1) {
      const exchange = await service.send('/api/keys', {
        token: forge.token('alice', { header: { kid: `unknown-${index}` } }),
      });
      assertPromises(service, exchange, ['token_invalid']);
    }
    expect(service.world.issuer.jwksRequests() - before).toBeLessThanOrEqual(3);
  },
);
