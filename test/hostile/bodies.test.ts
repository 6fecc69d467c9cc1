/** Request bodies that are malformed, huge, deep, poisoned, compressed, slow or cut off. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect } from 'vitest';
import type { ProblemCode } from '../../lib/errors.ts';
import { MAX_JSON_BYTES, MAX_PROMPT_BYTES, MAX_PROXY_REQUEST_BYTES } from '../../lib/limits.ts';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { defineFamily, titleOf } from './family.ts';
import { type Allowed, assertNoSecrets, assertPaidBy, assertPromises } from './promises.ts';
import { sendRaw } from './raw-http.ts';
import { type Person, requestBytes, type Service, startService } from './start-service.ts';

const KEYS: readonly ProviderId[] = ['openai', 'exa', 'gemini'];
const attack = defineFamily('bodies');

let service: Service;
let alice: Person;
let before: readonly string[];

beforeAll(async () => {
  service = await startService();
  alice = await service.person('alice', KEYS);
  // Starts the onboarding session, so that reading it later changes nothing.
  await service.call('/api/onboarding', { token: alice.token });
  await service.settle();
  before = await service.snapshot();
});
afterAll(() => service.close());

/** The routes that read JSON, and a body that each accepts. */
const ROUTES: readonly (readonly [method: string, target: string, valid: object])[] = [
  ['PUT', '/api/keys/openai', { key: 'a-key-that-nobody-may-store' }],
  ['PATCH', '/api/keys/openai', { guards: { paused: true } }],
  ['PATCH', '/api/onboarding', { step: 'api-keys', status: 'completed', data: { name: 'x' } }],
  ['POST', '/api/generate', { prompt: 'Hello' }],
  ['POST', '/api/search', { query: 'x' }],
];

const REFUSED: readonly ProblemCode[] = [
  'invalid_json',
  'invalid_request',
  'body_too_large',
  'body_incomplete',
];

/** The body is refused, nothing is stored, no provider is called and no prototype has a new member. */
async function assertRefused(
  method: string,
  target: string,
  body: string | Uint8Array,
  headers: readonly (readonly [string, string])[] = [],
): Promise<void> {
  await service.settle();
  const calls = service.world.calls.length;
  const type = headers.some(([name]) => name === 'Content-Type')
    ? []
    : [['Content-Type', 'application/json'] as const];
  const exchange = await service.send(target, {
    method,
    token: alice.token,
    body,
    headers: [...type, ...headers],
  });
  assertPromises(service, exchange, REFUSED, [alice.token]);
  await assertUntouched(calls);
}

async function assertUntouched(calls: number): Promise<void> {
  await service.settle();
  assertPaidBy(service, undefined, calls);
  expect(await service.snapshot()).toEqual(before);
  expect(Object.keys(Object.getOwnPropertyDescriptors(Object.prototype))).not.toContain('polluted');
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
}

const each = <T>(list: readonly (readonly [string, T])[]) =>
  ROUTES.flatMap(([method, target, valid]) =>
    list.map(([name, one]) => [`${method} ${target}: ${name}`, { method, target, valid, one }] as const),
  );

// Not JSON

const NO_JSON: readonly (string | Uint8Array)[] = [
  ...[
    '',
    ' ',
    '\n',
    '{',
    '}',
    '[',
    '"',
    '{"',
    '{"key"',
    '{"key":',
    '{"key":}',
    '{"key":"x"',
    '{"key":"x",}',
    '{key:"x"}',
    "{'key':'x'}",
    '{"key":"x"}}',
    '{"key":"x"}{"key":"y"}',
    '{"key":"x"} x',
  ],
  ...[
    '// c\n{}',
    '/* c */{}',
    'NaN',
    'Infinity',
    '-',
    '+1',
    '01',
    '1.',
    '.5',
    '1e',
    '0x1',
    'undefined',
    'nul',
    'True',
    '{"key":"\n"}',
    '{"key":"\u0000"}',
    '{"key":"\\x"}',
    '{"key":"\\u12"}',
    '<xml/>',
    'key=x&y=z',
    '--b\r\n\r\nx\r\n--b--',
  ],
  Buffer.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
  Buffer.from('{"key":"\xff"}', 'latin1'),
  Buffer.from('{"key":"\xc0\xaf"}', 'latin1'),
  Buffer.from('{"key":"\xed\xa0\x80"}', 'latin1'),
  Buffer.from('{"key":"\xf5\x80\x80\x80"}', 'latin1'),
  Buffer.from('{}', 'utf16le'),
  Buffer.alloc(1_000),
  Buffer.alloc(1_000, 255),
  '['.repeat(60_000),
  '{"a":'.repeat(12_000),
  '"'.repeat(60_000),
  '\\'.repeat(60_000),
];
attack(
  'what is not JSON is refused',
  each(
    NO_JSON.map(
      (body) =>
        [titleOf(typeof body === 'string' ? body : Buffer.from(body).toString('latin1')), body] as const,
    ),
  ),
  ({ method, target, one }) => assertRefused(method, target, one),
);

// JSON that no route expects

const nested = (depth: number) => `${'['.repeat(depth)}1${']'.repeat(depth)}`;
const nestedObject = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const UNEXPECTED: readonly string[] = [
  ...[
    'null',
    'true',
    'false',
    '0',
    '-0',
    '1e999',
    '-1e999',
    '""',
    '"key"',
    '[]',
    '[{}]',
    '[["key","x"]]',
    '[null]',
    `${'1'.repeat(10_000)}`,
    '1e400',
    '{}',
  ],
  ...[
    '{"a":1}',
    '{"toString":1}',
    '{"valueOf":null}',
    '{"length":1}',
    '{"then":{}}',
    '{"":""}',
    '{"__proto__":{"polluted":true}}',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '{"__proto__":null}',
    '{"prototype":{"polluted":true}}',
  ],
  ...[
    '{"key":null}',
    '{"key":1}',
    '{"key":[]}',
    '{"key":["x"]}',
    '{"key":{}}',
    '{"key":{"toString":"x"}}',
    '{"key":""}',
    '{"key":" "}',
    '{"key":true}',
    '{"KEY":"x"}',
    '{"guards":null}',
    '{"guards":[]}',
    '{"guards":{"a":1}}',
    '{"guards":{"paused":"yes"}}',
    '{"guards":{"__proto__":{"paused":true}},"x":1}',
  ],
  ...[
    '{"guards":{"callsPerDay":-1}}',
    '{"guards":{"callsPerDay":1.5}}',
    '{"guards":{"callsPerDay":1e999}}',
    '{"guards":{"callsPerDay":"1"}}',
    '{"guards":{"models":[]}}',
    '{"guards":{"models":["a b"]}}',
    '{"guards":{"models":[1]}}',
    '{"guards":{"expiresAt":"soon"}}',
    '{"guards":{"expiresAt":1e308}}',
    '{"guards":{"expiresAt":"+275760-09-13T00:00:00.001Z"}}',
  ],
  ...[
    '{"step":1}',
    '{"step":"nobody","status":"completed"}',
    '{"step":"api-keys","status":"done"}',
    '{"step":"api-keys","status":"completed","data":[]}',
    '{"prompt":1}',
    '{"prompt":""}',
    '{"prompt":"x","provider":"nobody"}',
    '{"prompt":"x","provider":"__proto__"}',
    '{"prompt":"x","model":"../x"}',
    '{"messages":[]}',
    '{"messages":[{"role":"x"}]}',
    '{"query":""}',
    '{"query":1}',
    '{"query":"x","numResults":1e9}',
  ],
  ...[
    nested(65),
    nested(1_000),
    nested(25_000),
    nestedObject(65),
    nestedObject(5_000),
    `[${'1,'.repeat(25_000)}1]`,
    `{${Array.from({ length: 4_000 }, (_, index) => `"a${index}":1`).join(',')}}`,
  ],
];
attack(
  'JSON that the route does not expect is refused',
  each(UNEXPECTED.map((body) => [titleOf(body), body] as const)),
  ({ method, target, one }) => assertRefused(method, target, one),
);
attack(
  'an unknown or poisoned member beside valid ones is refused',
  each(
    [
      '"__proto__":{"polluted":true}',
      '"constructor":{"prototype":{"polluted":true}}',
      '"prototype":{}',
      '"admin":true',
      '"user":"mallory"',
      '"sub":"mallory"',
      '"toString":"x"',
      '"hasOwnProperty":1',
    ].map((member) => [member, member] as const),
  ).filter(([, { target, one }]) => !(one.startsWith('"__proto__"') && target === '')),
  async ({ method, target, valid, one }) => {
    await service.settle();
    const calls = service.world.calls.length;
    const body = `${JSON.stringify(valid).slice(0, -1)},${one}}`;
    const exchange = await service.send(target, { method, token: alice.token, body });
    assertPromises(service, exchange, ['invalid_request'], [alice.token]);
    await assertUntouched(calls);
  },
);
attack(
  'onboarding data pollutes no prototype',
  [
    '{"__proto__":{"polluted":true}}',
    '{"a":{"__proto__":{"polluted":true}}}',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '{"a":[{"__proto__":{"polluted":1}}]}',
  ].map((data) => [data, data]),
  async (data) => {
    const bob = await service.person('bob');
    const body = `{"step":"api-keys","status":"completed","data":${data}}`;
    const exchange = await service.send('/api/onboarding', { method: 'PATCH', token: bob.token, body });
    assertPromises(
      service,
      exchange,
      [200, 'invalid_request', 'step_out_of_order', 'step_incomplete'],
      [bob.token],
    );
    assertPromises(service, await service.send('/api/onboarding', { token: bob.token }), [200]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    await service.call('/api/account', { method: 'DELETE', token: bob.token });
    await service.settle();
    expect(await service.snapshot()).toEqual(before);
  },
);

// Encodings and types

const COMPRESSED: readonly (readonly [string, (text: string) => Uint8Array])[] = [
  ['gzip', (text) => gzipSync(text)],
  ['deflate', (text) => deflateSync(text)],
  ['br', (text) => brotliCompressSync(text)],
  ['gzip, gzip', (text) => gzipSync(gzipSync(text))],
];
attack('a compressed body is not unpacked', each(COMPRESSED), ({ method, target, valid, one }) =>
  assertRefused(method, target, one(JSON.stringify(valid)), [['Content-Encoding', 'gzip']]),
);
attack(
  'a compressed bomb is not unpacked',
  each([['60 MB in 60 KB', gzipSync(Buffer.alloc(60_000_000))] as const]),
  ({ method, target, one }) => assertRefused(method, target, one, [['Content-Encoding', 'gzip']]),
);
const TYPES = [
  '',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'application/octet-stream',
  'application/xml',
  'APPLICATION/JSON',
  'application/json;;;',
  'x',
  '*/*',
  '__proto__',
];
attack(
  'a body that is no JSON is refused under every content type',
  each(TYPES.map((type) => [titleOf(type), type] as const)),
  ({ method, target, one }) => assertRefused(method, target, 'key=x&prompt=x', [['Content-Type', one]]),
);

// Sizes

const padded = (size: number) => `{"key":"${'x'.repeat(size)}"}`;
attack(
  'a body over the limit is refused, whatever length it declares',
  ROUTES.flatMap(([method, target]) => {
    const limit = target === '/api/generate' ? MAX_PROMPT_BYTES : MAX_JSON_BYTES;
    return (['declared', 'chunked'] as const).flatMap((how) =>
      [limit + 1, limit * 2].map(
        (size) => [`${method} ${target}: ${size} bytes, ${how}`, { method, target, size, how }] as const,
      ),
    );
  }),
  async ({ method, target, size, how }) => {
    await service.settle();
    const calls = service.world.calls.length;
    const parts = { method, token: alice.token };
    const text = padded(size);
    const exchange =
      how === 'declared'
        ? await service.send(target, { ...parts, body: text })
        : await sendRaw(service.port, [
            ...requestBytes(target, { ...parts, headers: [['Transfer-Encoding', 'chunked']] }),
            `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`,
          ]);
    assertPromises(service, exchange, ['body_too_large'], [alice.token]);
    await assertUntouched(calls);
  },
);
attack(
  'a gateway body over the limit is refused, whatever length it declares',
  (['declared', 'chunked', 'declared and not sent'] as const).map((how) => [how, how]),
  async (how) => {
    await service.settle();
    const size = Math.floor(MAX_PROXY_REQUEST_BYTES) + 1;
    const target = '/api/proxy/openai/v1/files';
    const body = how === 'declared and not sent' ? 'x' : 'x'.repeat(size);
    const framing: readonly [string, string] =
      how === 'chunked' ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(size)];
    const bytes = requestBytes(target, { method: 'POST', token: alice.token, headers: [framing] });
    const chunks = how === 'chunked' ? [`${size.toString(16)}\r\n`, body, '\r\n0\r\n\r\n'] : [body];
    const exchange = await sendRaw(service.port, [...bytes, ...chunks]);
    assertPromises(service, exchange, ['body_too_large'], [alice.token]);
    await service.settle();
    expect(await service.snapshot()).toEqual(before);
  },
);

// Slow and cut off

attack(
  'a body that is cut off changes nothing',
  [...ROUTES, ['POST', '/api/proxy/openai/v1/x', { model: 'm' }] as const].flatMap(
    ([method, target, valid]) =>
      [0, 1, 5].flatMap((sent) =>
        (['declared', 'chunked'] as const).map(
          (how) =>
            [
              `${method} ${target}: after ${sent} bytes, ${how}`,
              { method, target, valid, sent, how },
            ] as const,
        ),
      ),
  ),
  async ({ method, target, valid, sent, how }) => {
    await service.settle();
    const text = JSON.stringify(valid);
    const framing: readonly [string, string] =
      how === 'chunked' ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(text.length)];
    const part =
      how === 'chunked' ? `${text.length.toString(16)}\r\n${text.slice(0, sent)}` : text.slice(0, sent);
    const bytes = requestBytes(target, {
      method,
      token: alice.token,
      headers: [framing, ['Content-Type', 'application/json']],
    });
    const exchange = await sendRaw(service.port, [...bytes, part], { leaveAfterMs: 25 });
    assertNoSecrets(service, exchange.answers, [alice.token]);
    assertPromises(service, await service.send('/api/health'), [200]);
    await service.settle();
    expect(await service.snapshot()).toEqual(before);
  },
);
attack(
  'a body that arrives byte by byte is read whole',
  ROUTES.filter(([, target]) => /search|generate/.test(target)).map(([method, target, valid]) => [
    `${method} ${target}`,
    { method, target, valid },
  ]),
  async ({ method, target, valid }) => {
    const text = JSON.stringify(valid);
    const calls = service.world.calls.length;
    const bytes = requestBytes(target, {
      method,
      token: alice.token,
      headers: [['Content-Length', String(text.length)]],
    });
    const allowed: Allowed = [200];
    assertPromises(service, await sendRaw(service.port, [...bytes, ...text], { pauseMs: 4 }), allowed, [
      alice.token,
    ]);
    await service.settle();
    expect(assertPaidBy(service, alice, calls)).toHaveLength(1);
  },
);
attack(
  'a byte order mark, duplicate members and odd numbers are read as JSON reads them, or refused',
  [
    ['a byte order mark', Buffer.from('\ufeff{"query":"x"}')],
    ['a member twice', '{"query":"y","query":"x"}'],
    ['numResults twice', '{"query":"x","numResults":1000000,"numResults":1}'],
    ['numResults as 1e0', '{"query":"x","numResults":1e0}'],
    ['numResults as 1.0', '{"query":"x","numResults":1.0}'],
    ['white space around', ' \n\t{"query":"x"} \r\n'],
    ['escaped names', '{"\\u0071uery":"x"}'],
    ['a lone surrogate', '{"query":"\\ud800"}'],
    ['a NUL', '{"query":"\\u0000"}'],
    ['CR and LF', '{"query":"\\r\\nX: y"}'],
  ] as readonly (readonly [string, string | Buffer])[],
  async (body) => {
    await service.settle();
    const calls = service.world.calls.length;
    const exchange = await service.send('/api/search', { method: 'POST', token: alice.token, body });
    assertPromises(service, exchange, [200, 'invalid_json', 'invalid_request'], [alice.token]);
    await service.settle();
    assertPaidBy(service, exchange.answers[0]?.status === 200 ? alice : undefined, calls);
    expect(await service.snapshot()).toEqual(before);
  },
);
