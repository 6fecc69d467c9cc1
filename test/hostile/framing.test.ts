/** Requests whose framing or headers mean one thing to one reader and another to the next, on raw sockets. */
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect } from 'vitest';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { type ProviderId, providerIds } from '../../lib/providers/catalogue.ts';
import { json } from '../support/answers.ts';
import { defineFamily, titleOf } from './family.ts';
import {
  type Allowed,
  assertAnswer,
  assertNoSecrets,
  assertPaidBy,
  assertPromises,
  CREDENTIAL_HEADERS,
  DECOY,
} from './promises.ts';
import { type RawExchange, sendRaw } from './raw-http.ts';
import { type Person, type Service, startService } from './start-service.ts';

const attack = defineFamily('framing');
const ALLOWED_ORIGIN = 'https://app.example';

let service: Service;
let alice: Person;
let evil: Server;
let evilHits = 0;
let evilHost: string;

beforeAll(async () => {
  service = await startService({ env: { ALLOWED_ORIGINS: ALLOWED_ORIGIN } });
  alice = await service.person('alice', providerIds);
  evil = createServer((_request, response) => {
    evilHits += 1;
    response.end();
  });
  evilHost = `${LOOPBACK}:${await listen(evil)}`;
  await service.settle();
});
afterAll(async () => {
  await service.close();
  await closeServer(evil);
});

const ANY: Allowed = [
  ...([
    'path_refused',
    'not_found',
    'method_not_allowed',
    'invalid_json',
    'invalid_request',
    'body_incomplete',
  ] as const),
  ...(['body_too_large', 'token_missing', 'token_invalid', 'provider_unreachable'] as const),
  ...[200, 400, 408, 413, 414, 417, 431, 505],
] as Allowed;

/** Nothing hangs or escapes; no secret leaves; every provider call is alice's, and none is a smuggled one. */
async function assertHarmless(exchange: RawExchange, calls: number, hasLeft = false) {
  expect(exchange.isTimeout, 'hangs').toBe(false);
  if (!hasLeft) for (const answer of exchange.answers) assertAnswer(service, answer, ANY);
  assertNoSecrets(service, exchange.answers, [alice.token]);
  await service.settle();
  const received = assertPaidBy(service, alice, calls);
  for (const call of received) {
    expect(call.target).not.toContain('smuggled');
    const names = call.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    expect(
      names.filter((name) => ['content-length', 'transfer-encoding'].includes(name)).length,
    ).toBeLessThanOrEqual(1);
    expect(names.filter((name) => name === 'host')).toHaveLength(1);
    expect(call.headers.host).toBe(new URL(service.world.providers.origin(call.provider)).host);
  }
  expect(evilHits).toBe(0);
  if (!hasLeft) {
    expect(received.length).toBeLessThanOrEqual(exchange.answers.filter(({ status }) => status < 500).length);
  }
  return received;
}

/** Sends header lines as they are, to the gateway. `%TOKEN%` is alice's token. */
async function sendLines(
  lines: readonly string[],
  body = '',
  requestLine = 'POST /api/proxy/openai/v1/echo HTTP/1.1',
) {
  await service.settle();
  const calls = service.world.calls.length;
  const head = [requestLine, ...lines].map((line) => `${line.replace('%TOKEN%', alice.token)}\r\n`).join('');
  const exchange = await sendRaw(service.port, [`${head}\r\n${body}`], { lingerMs: 15 });
  return { exchange, calls };
}

const AUTHORIZED = ['Host: 127.0.0.1', 'Authorization: Bearer %TOKEN%'];
const SMUGGLED = 'GET /api/proxy/openai/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

// The length of a body

const LENGTHS: readonly string[] = [
  ...[
    '',
    ' ',
    '+5',
    '-1',
    '-0',
    '0x5',
    '5.0',
    '5e0',
    '1e1',
    '5,5',
    '5, 5',
    '5;5',
    '5 5',
    '٥',
    '５',
    '05',
    '00000000005',
    '5\u0000',
    'five',
  ],
  ...[
    '99999999999999999999',
    '9223372036854775808',
    '18446744073709551616',
    '4294967296',
    'Infinity',
    'NaN',
    '0',
    '1',
    '4',
    '6',
    '5\t',
    '"5"',
    '[5]',
    '5\u000b',
    '5\u000c',
  ],
];
attack(
  'a Content-Length that is no number, or not the length, harms nobody',
  LENGTHS.map((length) => [titleOf(length), length]),
  async (length) => {
    const tail = Number(length) > 5 ? [] : [SMUGGLED];
    await service.settle();
    const calls = service.world.calls.length;
    const text = `POST /api/proxy/openai/v1/echo HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${alice.token}\r\nContent-Length: ${length}\r\n\r\nhello`;
    // A length beyond the body leaves the request open; the client goes away.
    const exchange = await sendRaw(
      service.port,
      [text, ...tail],
      Number(length) > 5 ? { leaveAfterMs: 60 } : { lingerMs: 15 },
    );
    await assertHarmless(exchange, calls, Number(length) > 5);
  },
);

const AMBIGUOUS: readonly (readonly [string, readonly string[]])[] = [
  ['two different lengths', ['Content-Length: 5', 'Content-Length: 6']],
  ['two different lengths, the longer first', ['Content-Length: 60', 'Content-Length: 5']],
  ['the same length twice', ['Content-Length: 5', 'Content-Length: 5']],
  ...[
    'chunked',
    'Chunked',
    'CHUNKED',
    'chunked ',
    ' chunked',
    'xchunked',
    'chunkedx',
    'chunked, identity',
    'identity, chunked',
    'gzip, chunked',
    'chunked, chunked',
    'identity',
    'chunked;x=1',
    '"chunked"',
    'chun\u0000ked',
    'ｃhunked',
    ',chunked',
    'chunked,',
  ].flatMap((coding) => [
    [`${titleOf(coding)} after a length`, ['Content-Length: 5', `Transfer-Encoding: ${coding}`]] as const,
    [`${titleOf(coding)} before a length`, [`Transfer-Encoding: ${coding}`, 'Content-Length: 5']] as const,
  ]),
  [
    'Transfer-Encoding twice',
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity', 'Content-Length: 5'],
  ],
  ['a space before the colon', ['Content-Length: 5', 'Transfer-Encoding : chunked']],
  ['a tab before the colon', ['Content-Length: 5', 'Transfer-Encoding\t: chunked']],
  ['a line break in the value', ['Content-Length: 5', 'Transfer-Encoding:', ' chunked']],
  ['a bare CR', ['Content-Length: 5', 'X: y\rTransfer-Encoding: chunked']],
  ['a bare LF', ['Content-Length: 5', 'X: y\nTransfer-Encoding: chunked']],
  ['a vertical tab', ['Content-Length: 5', 'Transfer-Encoding:\u000bchunked']],
  ['an underscore', ['Content-Length: 5', 'Transfer_Encoding: chunked']],
];
attack('two framings of one body are refused or read as one', AMBIGUOUS, async (lines) => {
  const { exchange, calls } = await sendLines([...AUTHORIZED, ...lines], `0\r\n\r\n${SMUGGLED}`);
  await assertHarmless(exchange, calls);
});

const CHUNKS: readonly (readonly [string, string])[] = [
  ['a size that is no number', 'G\r\nhello\r\n0\r\n\r\n'],
  ['a size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['a negative size', '-5\r\nhello\r\n0\r\n\r\n'],
  ['a size with a sign', '+5\r\nhello\r\n0\r\n\r\n'],
  ['a size over 64 bits', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['a size with spaces', ' 5 \r\nhello\r\n0\r\n\r\n'],
  ['a size with a NUL', '5\u0000\r\nhello\r\n0\r\n\r\n'],
  ['an empty size', '\r\nhello\r\n0\r\n\r\n'],
  ['an extension', '5;a=b\r\nhello\r\n0\r\n\r\n'],
  ['an extension of 20 KB', `5;${'a'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`],
  ['an extension with a line feed', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
  ['an extension with a CR', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['line feeds only', '5\nhello\n0\n\n'],
  ['a chunk that is too long', '3\r\nhello\r\n0\r\n\r\n'],
  ['a chunk without its end', '5\r\nhello0\r\n\r\n'],
  [
    'a trailer with a credential',
    `5\r\nhello\r\n0\r\nAuthorization: Bearer ${DECOY}\r\nX-Api-Key: ${DECOY}\r\n\r\n`,
  ],
  ['a trailer with a length', '5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n'],
  ['a trailer of 20 KB', `5\r\nhello\r\n0\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`],
  ['a thousand chunks of one byte', `${'1\r\nx\r\n'.repeat(1_000)}0\r\n\r\n`],
  ['leading zeros', '0000000000000005\r\nhello\r\n000\r\n\r\n'],
  ['a second request behind the end', `5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['no chunk', '0\r\n\r\n'],
];
attack(
  'a chunked body of any form harms nobody',
  CHUNKS.flatMap(([name, body]) =>
    ['/api/proxy/openai/v1/echo', '/api/generate'].map(
      (target) => [`${name} to ${target}`, [target, body] as const] as const,
    ),
  ),
  async ([target, body]) => {
    const lines = [...AUTHORIZED, 'Transfer-Encoding: chunked', 'Content-Type: application/json'];
    const { exchange, calls } = await sendLines(lines, body, `POST ${target} HTTP/1.1`);
    await assertHarmless(exchange, calls);
  },
);

// Lines that are no header

const LINES: readonly string[] = [
  ...[
    'X',
    ':',
    ': x',
    ' : x',
    'X y: z',
    'X\u0000: y',
    'X: y\u0000z',
    'X: \u0001',
    'X: \u007f',
    'X: é',
    'X: 😀',
    'É: x',
    'X(: y',
    'X[]: y',
    'X@: y',
    '"X": y',
    'X;: y',
    '{X}: y',
  ],
  ...[
    ' X: folded',
    '\tX: folded',
    'X: a\r\n folded',
    'X: a\r\n\tfolded',
    'X: a\rb',
    'X: a\nb: c',
    'X:\r\n: y',
    'X : y',
    'X\t: y',
    '\u000bX: y',
    '\ufeffX: y',
    '__proto__: x',
    'constructor: x',
    'toString: x',
  ],
];
attack(
  'a line that is no header is refused or not sent on',
  LINES.map((line) => [titleOf(line), line]),
  async (line) => {
    const { exchange, calls } = await sendLines([...AUTHORIZED, line, 'Content-Length: 0']);
    for (const call of await assertHarmless(exchange, calls)) {
      expect(call.rawHeaders.join('\n')).not.toMatch(/folded|proto|constructor/i);
    }
  },
);
const FORWARDED = [
  'User-Agent',
  'Accept',
  'Content-Type',
  'X-Title',
  'Anthropic-Version',
  'Anthropic-Beta',
  'Idempotency-Key',
  'X-Stainless-Lang',
  'Http-Referer',
  'X-Request-Id',
];
attack(
  'a value of a forwarded header brings no line of its own',
  FORWARDED.flatMap((name) =>
    [
      `x%0d%0aAuthorization: ${DECOY}`,
      `x\\r\\nX-Api-Key: ${DECOY}`,
      'x\u0085y',
      `x${'y'.repeat(4_000)}`,
      '\t x \t',
    ].map((value) => [`${name}: ${titleOf(value)}`, [name, value] as const] as const),
  ),
  async ([name, value]) => {
    const holdsDecoy = value.includes(DECOY);
    const { exchange, calls } = await sendLines([
      ...AUTHORIZED,
      `${name}: ${value.replaceAll(DECOY, 'injected')}`,
      'Content-Length: 0',
    ]);
    for (const call of await assertHarmless(exchange, calls)) {
      const names = call.rawHeaders.filter((_, index) => index % 2 === 0).map((sent) => sent.toLowerCase());
      if (holdsDecoy) expect(names.filter((sent) => sent === 'x-api-key')).toEqual([]);
    }
  },
);

// Credentials

const spellings: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.toUpperCase(),
  (name) => name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase()),
  (name) => name.replaceAll('-', '_'),
];
attack(
  'a credential of any name is not sent on',
  CREDENTIAL_HEADERS.filter((name) => name !== 'authorization').flatMap((name) =>
    spellings.map((spell, index) => [`${spell(name)}, spelling ${index}`, spell(name)] as const),
  ),
  async (name) => {
    await service.settle();
    const calls = service.world.calls.length;
    const exchange = await service.send('/api/proxy/openai/v1/models', {
      token: alice.token,
      headers: [[name, `${DECOY}0`]],
    });
    assertPromises(service, exchange, [200], [alice.token]);
    expect(await assertHarmless(exchange, calls)).toHaveLength(1);
  },
);
attack<readonly [ProviderId, (name: string) => string]>(
  'each provider receives one credential, whatever the caller sends',
  providerIds.flatMap((id) =>
    spellings.map((spell, index) => [`${id}, spelling ${index}`, [id, spell] as const] as const),
  ),
  async ([id, spell]) => {
    await service.settle();
    const calls = service.world.calls.length;
    const headers = CREDENTIAL_HEADERS.filter((name) => name !== 'authorization').map(
      (name) => [spell(name), `${DECOY}${name}`] as const,
    );
    const target = `/api/proxy/${id}/v1/x?key=${DECOY}q&access_token=${alice.token}`;
    const exchange = await service.send(target, { token: alice.token, headers });
    assertPromises(service, exchange, [200, 'token_invalid', 'token_missing'], [alice.token]);
    await service.settle();
    for (const call of service.world.calls.slice(calls)) {
      expect(call.rawHeaders.join('\n')).not.toContain(DECOY);
      expect(call.target).not.toContain(alice.token);
      expect(call.credential).toBe(alice.keys.get(id));
    }
  },
);

// From one hop to the next

const HOP_BY_HOP: readonly (readonly [string, string])[] = [
  ...[
    'authorization',
    'x-api-key',
    'content-length',
    'content-type',
    'host',
    'close, authorization',
    'keep-alive, x-title',
    'transfer-encoding',
    'x-forwarded-for',
    'cookie',
    'te',
    'upgrade',
    'upgrade, http2-settings',
  ].map((names) => ['Connection', names] as const),
  ['Keep-Alive', 'timeout=99999, max=99999'],
  ['Proxy-Connection', 'keep-alive'],
  ['Proxy-Authorization', `Basic ${DECOY}`],
  ['Proxy-Authenticate', 'Basic'],
  ['TE', 'trailers, deflate;q=0.5'],
  ['Trailer', 'Authorization'],
  ['Upgrade', 'websocket'],
  ['Upgrade', 'h2c'],
  ['HTTP2-Settings', 'AAMAAABkAAQCAAAAAAIAAAAA'],
  ['Expect', '100-continue'],
  ['Expect', '200-ok'],
  ['Expect', 'x'],
  ['Range', 'bytes=0-0,1-1,2-2'],
  ['Accept-Encoding', 'gzip, br, *'],
  ['Content-Encoding', 'gzip'],
  ['Max-Forwards', '0'],
  ['Via', '1.1 x'],
  ['Warning', '199 - x'],
  ['Alt-Svc', 'h3=":443"'],
  ['Cache-Control', 'only-if-cached'],
  ['If-None-Match', '*'],
];
attack(
  'a header for one hop ends there',
  HOP_BY_HOP.map((header) => [header.join(': '), header]),
  async ([name, value]) => {
    const { exchange, calls } = await sendLines(
      [...AUTHORIZED, `${name}: ${value}`, 'Content-Length: 5'],
      'hello',
    );
    for (const call of await assertHarmless(exchange, calls)) {
      for (const hop of [
        'keep-alive',
        'proxy-connection',
        'proxy-authorization',
        'te',
        'trailer',
        'upgrade',
        'http2-settings',
        'via',
        'max-forwards',
      ]) {
        expect(call.headers).not.toHaveProperty(hop);
      }
    }
  },
);

// Which host

const HOSTS: readonly string[] = [
  ...[
    '',
    ' ',
    '%EVIL%',
    '%EVIL%:80',
    'user@%EVIL%',
    'user:pass@%EVIL%',
    '%EVIL%/x',
    '%EVIL%?x',
    '%EVIL%#x',
    '%EVIL%\\x',
    'a b',
    'a,b',
    '127.0.0.1:99999',
    '127.0.0.1:x',
    '127.0.0.1:',
    ':80',
    '[::1',
    '[::1]:80',
  ],
  ...[
    'http://%EVIL%/',
    '//%EVIL%',
    '127.0.0.1\u0000%EVIL%',
    '127.0.0.1\t%EVIL%',
    '127.0.0.1%00',
    '127.0.0.1%2f',
    '<script>',
    "';--",
    'x'.repeat(5_000),
    'é.example',
    '-',
    '.',
    '..',
    '*',
    '0x7f000001',
    '127.1',
  ],
];
attack(
  'no host header leads to another server',
  HOSTS.map((host) => [titleOf(host), host]),
  async (host) => {
    const lines = [
      `Host: ${host.replace('%EVIL%', evilHost)}`,
      'Authorization: Bearer %TOKEN%',
      'Content-Length: 0',
    ];
    const { exchange, calls } = await sendLines(lines);
    await assertHarmless(exchange, calls);
  },
);
attack(
  'no host, or several, lead to no other server',
  [
    ['none', []],
    ['two', ['Host: 127.0.0.1', 'Host: %EVIL%']],
    ['two, the other first', ['Host: %EVIL%', 'Host: 127.0.0.1']],
    ['a folded one', ['Host: 127.0.0.1', ' %EVIL%']],
    ['one with a space before the colon', ['Host : %EVIL%', 'Host: 127.0.0.1']],
    ['one of another case', ['host: 127.0.0.1', 'HOST: %EVIL%']],
  ] as readonly (readonly [string, readonly string[]])[],
  async (hosts) => {
    const lines = [
      ...hosts.map((host) => host.replace('%EVIL%', evilHost)),
      'Authorization: Bearer %TOKEN%',
      'Content-Length: 0',
    ];
    const { exchange, calls } = await sendLines(lines);
    await assertHarmless(exchange, calls);
  },
);
const FORWARDING: readonly (readonly [string, string])[] = [
  ...[
    'x-forwarded-host',
    'x-forwarded-server',
    'x-original-host',
    'x-host',
    'x-http-host-override',
    'forwarded',
    'x-real-ip',
    'x-forwarded-for',
    'x-forwarded-port',
    'x-forwarded-prefix',
    'x-forwarded-path',
    'cf-connecting-ip',
    'true-client-ip',
    'x-client-ip',
    'x-vercel-forwarded-for',
    'x-vercel-deployment-url',
    'x-vercel-proxied-for',
    'x-vercel-ip-country',
    'x-now-id',
    'cdn-loop',
    'base-url',
    'x-base-url',
    'x-target-url',
    'x-portkey-custom-host',
    'helicone-target-url',
    'openai-base-url',
  ].map((name) => [name, '%EVIL%'] as const),
  ['forwarded', 'for=127.0.0.1;host=%EVIL%;proto=http'],
  ...['https,http', 'http', 'https', 'javascript', 'ftp', '', 'https\t,x', 'HTTPS', 'wss'].map(
    (proto) => ['x-forwarded-proto', proto] as const,
  ),
];
attack(
  'a forwarding header changes no target, and no link to another server',
  FORWARDING.map((header) => [header.join(': '), header]),
  async ([name, value]) => {
    await service.settle();
    const calls = service.world.calls.length;
    const upload = `${service.world.providers.origin('gemini')}/upload/1`;
    service.world.providers.answerNextWith(json({}, 200, { 'x-goog-upload-url': upload }));
    const headers = [[name, value.replace('%EVIL%', evilHost)]] as const;
    const exchange = await service.send('/api/proxy/gemini/upload/v1beta/files', {
      method: 'POST',
      token: alice.token,
      json: {},
      headers,
    });
    const answer = assertPromises(service, exchange, [200], [alice.token]);
    for (const call of await assertHarmless(exchange, calls)) expect(call.headers).not.toHaveProperty(name);
    const link = new URL(answer.header('x-goog-upload-url') ?? '', 'http://none.example');
    expect(link.pathname).toBe('/api/proxy/gemini/upload/1');
    expect(['http:', 'https:']).toContain(link.protocol);
    if (name === 'x-forwarded-proto' && value.startsWith('https')) expect(link.protocol).toBe('https:');
  },
);

// Origins

const ORIGINS: readonly string[] = [
  ...[
    'null',
    '*',
    '',
    'https://evil.example',
    'https://app.example.evil.example',
    'https://evil-app.example',
    'https://app.example:443',
    'https://app.example:8443',
    'https://app.example/',
  ],
  ...[
    'http://app.example',
    'HTTPS://APP.EXAMPLE',
    'https://app.example, https://evil.example',
    'https://app.example https://evil.example',
    'https://user@app.example',
    'https://sub.app.example',
    'https://app.examplé',
    'file://',
    'app.example',
    'https://app.example%00',
  ],
];
attack(
  'no other origin may read an answer, not even of a preflight',
  ORIGINS.flatMap((origin) =>
    ['GET', 'OPTIONS'].map((method) => [`${method} ${titleOf(origin)}`, { origin, method }] as const),
  ),
  async ({ origin, method }) => {
    const headers = [
      ['Origin', origin],
      ['Access-Control-Request-Method', 'DELETE'],
      ['Access-Control-Request-Headers', 'authorization'],
    ] as const;
    const exchange = await service.send('/api/keys', { method, token: alice.token, headers });
    const answer = assertPromises(service, exchange, [200, 204, 400], [alice.token]);
    expect(answer.headers.filter(([name]) => name.startsWith('access-control-'))).toEqual([]);
  },
);
attack(
  'the allowed origin may read answers, without cookies',
  ['GET', 'OPTIONS'].map((method) => [method, method]),
  async (method) => {
    const exchange = await service.send('/api/keys', {
      method,
      token: alice.token,
      headers: [['Origin', ALLOWED_ORIGIN]],
    });
    const answer = assertPromises(service, exchange, [200, 204], [alice.token]);
    expect(answer.header('access-control-allow-origin')).toBe(ALLOWED_ORIGIN);
    expect(answer.header('access-control-allow-credentials')).toBeUndefined();
  },
);

// Cookies, sizes, and what is no HTTP at all

attack(
  'no cookie passes, in either direction',
  [
    'Cookie: a=b',
    'Cookie: session=x; __Host-a=b',
    'Cookie2: $Version=1',
    'cookie: a=b\r\nCookie: c=d',
    'COOKIE: a=b',
    'Set-Cookie: a=b',
  ].map((line) => [titleOf(line), line]),
  async (line) => {
    await service.settle();
    service.world.providers.answerNextWith(
      json({}, 200, { 'set-cookie': 'provider=1', 'set-cookie2': 'provider=2' }),
    );
    const { exchange, calls } = await sendLines([...AUTHORIZED, line, 'Content-Length: 0']);
    const [call] = await assertHarmless(exchange, calls);
    for (const name of ['cookie', 'cookie2', 'set-cookie']) expect(call?.headers).not.toHaveProperty(name);
    expect(exchange.answers[0]?.header('set-cookie2')).toBeUndefined();
  },
);
attack(
  'headers of any size and number end in an answer',
  [
    ...[1_000, 8_000, 15_000, 17_000, 100_000].flatMap((size) => [
      [`a value of ${size}`, [`X-Title: ${'x'.repeat(size)}`]] as const,
      [`a name of ${size}`, [`${'x'.repeat(size)}: y`]] as const,
    ]),
    ...[100, 500, 1_900, 2_100, 5_000].map(
      (count) => [`${count} headers`, Array.from({ length: count }, (_, index) => `X${index}: y`)] as const,
    ),
    ['500 times the same header', Array.from({ length: 500 }, () => 'Accept: a/b')],
    ['50 Authorization headers', Array.from({ length: 50 }, () => 'Authorization: Bearer x.y.z')],
  ] as readonly (readonly [string, readonly string[]])[],
  async (lines) => {
    const { exchange, calls } = await sendLines([...AUTHORIZED, ...lines, 'Content-Length: 0']);
    await assertHarmless(exchange, calls);
  },
);
const NO_HTTP: readonly (string | Uint8Array)[] = [
  ...[
    '\r\n\r\n',
    '\r\n\r\n\r\n\r\n',
    'GET\r\n\r\n',
    'GET /\r\n\r\n',
    'GET / HTTP\r\n\r\n',
    'GET / HTTP/0.9\r\n\r\n',
    'GET / HTTP/2.0\r\n\r\n',
    'GET / HTTP/1.2\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET / HTTP/1.1x\r\n\r\n',
  ],
  ...[
    'GET  /  HTTP/1.1\r\n\r\n',
    'GET / / HTTP/1.1\r\n\r\n',
    'GET\t/\tHTTP/1.1\r\n\r\n',
    ' GET / HTTP/1.1\r\n\r\n',
    'GET /\u0000 HTTP/1.1\r\n\r\n',
    'GET / http/1.1\r\n\r\n',
    'HTTP/1.1 200 OK\r\n\r\n',
    'SSH-2.0-x\r\n\r\n',
    'EHLO x\r\n\r\n',
    '*1\r\n$4\r\nPING\r\n',
  ],
  ...[
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '{"jsonrpc":"2.0"}\r\n\r\n',
    '<?xml version="1.0"?>\r\n\r\n',
    'CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\n\n',
    'GET / HTTP/1.1\r\r\n\n',
    `${'A'.repeat(100_000)}\r\n\r\n`,
  ],
  Buffer.from('16030100c8010000c40303', 'hex'),
  Buffer.alloc(4_096),
  Buffer.alloc(4_096, 255),
];
attack(
  'bytes that are no request are dropped, and the service goes on',
  NO_HTTP.map((bytes, index) => [
    `${index} ${titleOf(typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('hex'))}`,
    bytes,
  ]),
  async (bytes) => {
    const calls = service.world.calls.length;
    const exchange = await sendRaw(service.port, [bytes], { leaveAfterMs: 80, lingerMs: 10 });
    for (const answer of exchange.answers) expect([200, 400, 404, 431, 505]).toContain(answer.status);
    expect(service.world.calls).toHaveLength(calls);
    assertPromises(service, await service.send('/api/health'), [200]);
  },
);
attack(
  'requests on one connection do not mix',
  [
    ['alice, then nobody', [true, false]],
    ['nobody, then alice', [false, true]],
    ['alice, nobody, alice, nobody', [true, false, true, false]],
  ] as readonly (readonly [string, readonly boolean[]])[],
  async (isAlice) => {
    const text = isAlice
      .map(
        (own) =>
          `GET /api/keys HTTP/1.1\r\nHost: x\r\n${own ? `Authorization: Bearer ${alice.token}\r\n` : ''}\r\n`,
      )
      .join('');
    const { answers } = await sendRaw(service.port, [text], { lingerMs: 150 });
    expect(answers.map(({ status }) => status)).toEqual(isAlice.map((own) => (own ? 200 : 401)));
    assertNoSecrets(service, answers, [alice.token]);
  },
);
