/** A provider that echoes, redirects, lies about lengths, never ends or breaks: the key never reaches the caller. */
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import type { Answer } from '../support/answers.ts';
import { newProviderKey } from '../support/start-world.ts';
import { defineFamily, titleOf } from './family.ts';
import { type Allowed, assertAnswer, assertNoSecrets, assertPaidBy, assertPromises } from './promises.ts';
import type { RawExchange } from './raw-http.ts';
import { type Person, type RequestParts, type Service, startService } from './start-service.ts';

const KEYS: readonly ProviderId[] = ['openai', 'anthropic', 'gemini', 'exa', 'firecrawl'];
const attack = defineFamily('provider');

let service: Service;
let alice: Person;
beforeAll(async () => {
  service = await startService();
  alice = await service.person('alice', KEYS);
  await service.settle();
});
afterAll(() => service.close());
afterEach(async () => {
  service.world.providers.reset();
  service.world.providers.answerWith(
    (call, response) => void call.received.then(() => response.end('{}')),
    'tavily',
  );
  assertPromises(service, await service.send('/api/health'), [200, 503]);
  service.world.providers.reset();
});

/** Answers of ours about a provider that misbehaves. */
const FAILURES: Allowed = [
  'provider_error',
  'provider_redirected',
  'provider_unreachable',
  'provider_timeout',
  'provider_refused',
  'provider_limited',
  'key_rejected',
];
const ANY: Allowed = [...FAILURES, ...Array.from({ length: 400 }, (_, index) => 200 + index)];

type Way = readonly [name: string, target: string, parts: RequestParts];
const PROXY: Way = [
  'proxy',
  '/api/proxy/openai/v1/chat/completions',
  { method: 'POST', json: { model: 'm' } },
];
const WAYS: readonly Way[] = [
  PROXY,
  ['anthropic', '/api/proxy/anthropic/v1/messages', { method: 'POST', json: { model: 'm' } }],
  ['links', '/api/proxy/firecrawl/v2/crawl/1', {}],
  ['generate', '/api/generate', { method: 'POST', json: { provider: 'openai', prompt: 'x' } }],
  [
    'generate, streamed',
    '/api/generate',
    { method: 'POST', json: { provider: 'openai', prompt: 'x', stream: true } },
  ],
  ['search', '/api/search', { method: 'POST', json: { query: 'x' } }],
  ['check', '/api/keys/openai', { method: 'POST' }],
];

/** Neither key nor token leaves; a broken answer may be cut off, but the exchange ends. */
async function assertKeepsKey(
  [, target, parts]: Way,
  answer: Answer,
  options: { readonly mayBeCut?: boolean } = {},
): Promise<RawExchange> {
  await service.settle();
  const calls = service.world.calls.length;
  service.world.providers.answerWith(answer);
  const exchange = await service.send(target, { ...parts, token: alice.token, maxBytes: 8_000_000 });
  expect(exchange.isTimeout, 'hangs').toBe(false);
  for (const one of exchange.answers)
    if (one.isComplete || !options.mayBeCut) assertAnswer(service, one, ANY);
  assertNoSecrets(service, exchange.answers, [alice.token]);
  await service.settle();
  assertPaidBy(service, alice, calls);
  service.world.providers.reset();
  return exchange;
}

// Echoes of the key

const codePoints = (key: string, form: (code: number) => string) =>
  [...key].map((character) => form(character.charCodeAt(0))).join('');
const hex = (code: number, digits: number) => code.toString(16).padStart(digits, '0');
/** Ways to write a key in an error. Success bodies are searched for the exact key only. */
const SPELLINGS: readonly (readonly [string, (key: string) => string])[] = [
  ['plain', (key) => key],
  ['twice', (key) => key + key],
  ['with a scheme', (key) => `Bearer ${key}`],
  ['in quotes', (key) => `\\"${key}\\"`],
  ['in a URL', (key) => `https://x.example/?key=${key}`],
  ['between other letters', (key) => `xx${key}yy`],
];
const ENCODED: readonly (readonly [string, (key: string) => string])[] = [
  ['as JSON escapes', (key) => codePoints(key, (code) => `\\u${hex(code, 4)}`)],
  [
    'as some JSON escapes',
    (key) =>
      [...key]
        .map((character, index) => (index % 3 === 0 ? `\\u${hex(character.charCodeAt(0), 4)}` : character))
        .join(''),
  ],
  ['percent-encoded', (key) => codePoints(key, (code) => `%${hex(code, 2)}`)],
  ['as HTML entities', (key) => codePoints(key, (code) => `&#x${hex(code, 2)};`)],
  ['in base64', (key) => Buffer.from(key).toString('base64')],
  ['in hexadecimal', (key) => Buffer.from(key).toString('hex')],
];
const TYPES = [
  'application/json',
  'text/plain',
  'text/html',
  'text/event-stream',
  'application/x-ndjson',
  'application/problem+json',
];
const quote = (text: string, type: string) =>
  type === 'text/event-stream'
    ? `data: {"error":{"message":"${text}"}}\n\n`
    : `{"error":{"message":"${text}"}}`;
const echoing =
  (
    status: number,
    type: string,
    spell: (key: string) => string,
    chunkBytes = Number.POSITIVE_INFINITY,
  ): Answer =>
  async (call, response) => {
    await call.received;
    response.writeHead(status, { 'content-type': type });
    await writeInChunks(response, quote(spell(call.credential ?? ''), type), chunkBytes);
  };
async function writeInChunks(response: ServerResponse, text: string, chunkBytes: number): Promise<void> {
  for (let at = 0; at < text.length; at += chunkBytes) {
    response.write(text.slice(at, at + chunkBytes));
    if (chunkBytes < text.length) await new Promise((resolve) => setImmediate(resolve));
  }
  response.end();
}
attack(
  'an error that quotes the key does not reach the caller with it',
  [400, 401, 403, 429, 500, 503].flatMap((status) =>
    [...SPELLINGS, ...ENCODED].flatMap(([how, spell], index) => {
      const type = TYPES[index % TYPES.length] ?? 'text/plain';
      const way = WAYS[(index + status) % WAYS.length] ?? PROXY;
      return [
        [`${status} ${type}, ${how}, ${way[0]}`, { way, answer: echoing(status, type, spell) }] as const,
      ];
    }),
  ),
  async ({ way, answer }) => {
    await assertKeepsKey(way, answer);
  },
);
attack(
  'a success that quotes the key does not reach the caller with it, in chunks of any size',
  SPELLINGS.flatMap(([how, spell], row) =>
    [1, 2, 7, 16, 31, 32, 64, 1_000].map((chunkBytes, column) => {
      const type = TYPES[(row + column) % TYPES.length] ?? 'text/plain';
      const way = [WAYS[0], WAYS[1], WAYS[2], WAYS[5]][(row + column) % 4] ?? PROXY;
      return [
        `${how}, ${type}, ${chunkBytes} bytes, ${way[0]}`,
        { way, answer: echoing(200, type, spell, chunkBytes) },
      ] as const;
    }),
  ),
  async ({ way, answer }) => {
    const { answers } = await assertKeepsKey(way, answer);
    expect(answers[0]?.text.length).toBeGreaterThan(10);
  },
);
attack(
  'a generated text that quotes the key does not reach the caller with it',
  [3, 4].flatMap((way) =>
    ['Here it is: %', '%', '% and %'].map(
      (content) => [`${WAYS[way]?.[0]}: ${content}`, { way: WAYS[way] ?? PROXY, content }] as const,
    ),
  ),
  async ({ way, content }) => {
    const answer: Answer = async (call, response) => {
      await call.received;
      const text = content.replaceAll('%', call.credential ?? '');
      const base = { id: 'resp_1', object: 'response', created_at: 1, model: 'm' };
      const item = {
        type: 'message',
        id: 'msg_1',
        role: 'assistant',
        status: 'completed',
        content: [text.slice(0, 20), text.slice(20)].map((part) => ({
          type: 'output_text',
          text: part,
          annotations: [],
        })),
      };
      const complete = {
        ...base,
        status: 'completed',
        output: [item],
        usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
      };
      if (way[0] === 'generate') {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(complete));
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const event = (value: { readonly type: string }) =>
        `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
      response.write(
        event({ type: 'response.created', ...{ response: { ...base, status: 'in_progress', output: [] } } }),
      );
      response.write(
        event({ type: 'response.output_item.added', ...{ output_index: 0, item: { ...item, content: [] } } }),
      );
      for (const delta of [text.slice(0, 20), text.slice(20)]) {
        response.write(
          event({
            type: 'response.output_text.delta',
            ...{ item_id: 'msg_1', output_index: 0, content_index: 0, delta },
          }),
        );
      }
      response.end(event({ type: 'response.completed', ...{ response: complete } }));
    };
    await assertKeepsKey(way, answer, { mayBeCut: true });
  },
);
const HEADERS = [
  'x-request-id',
  'openai-organization',
  'openai-x',
  'anthropic-x',
  'content-disposition',
  'etag',
  'retry-after',
  'x-ratelimit-key',
  'request-id',
  'location',
  'www-authenticate',
  'x-api-key',
  'authorization',
  'set-cookie',
  'x-goog-upload-url',
  'link',
  'refresh',
  'server-timing',
  'x-debug',
  'content-language',
];
attack(
  'a header that quotes the key does not reach the caller with it',
  HEADERS.flatMap((name) => [200, 400].map((status) => [`${name}, ${status}`, { name, status }] as const)),
  async ({ name, status }) => {
    const answer: Answer = async (call, response) => {
      await call.received;
      response
        .writeHead(status, { 'content-type': 'application/json', [name]: `a ${call.credential} b` })
        .end('{}');
    };
    await assertKeepsKey(PROXY, answer);
  },
);

// Headers that act on the caller

const ACTIVE: readonly (readonly [string, string])[] = [
  ...[
    'set-cookie',
    'set-cookie2',
    'location',
    'refresh',
    'link',
    'strict-transport-security',
    'clear-site-data',
    'access-control-allow-origin',
    'access-control-allow-credentials',
    'content-security-policy',
    'x-frame-options',
    'server',
    'x-powered-by',
    'via',
    'alt-svc',
    'nel',
    'report-to',
    'public-key-pins',
    'www-authenticate',
    'proxy-authenticate',
    'connection',
    'keep-alive',
    'upgrade',
    'trailer',
    'sourcemap',
    'service-worker-allowed',
    'x-userkeys-error',
    'x-userkeys-request-id',
    'x-vercel-set-bypass-cookie',
    'x-middleware-rewrite',
    'x-accel-redirect',
    'x-sendfile',
    'age',
    'expires',
    'pragma',
    'cache-control',
  ].map((name) => [name, 'attack'] as const),
];
attack(
  'a header that would act on the caller does not pass',
  ACTIVE.map(([name, value]) => [name, { name, value }]),
  async ({ name, value }) => {
    const answer: Answer = async (call, response) => {
      await call.received;
      const line = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${name}: ${value}\r\nContent-Length: 2\r\n\r\n{}`;
      response.socket?.end(line);
    };
    const { answers } = await assertKeepsKey(PROXY, answer);
    expect(answers[0]?.header(name) ?? '').not.toContain('attack');
  },
);
attack(
  'a page with scripts is never run: it is sandboxed and not sniffed',
  [
    'text/html',
    'TEXT/HTML',
    'application/xhtml+xml',
    'image/svg+xml',
    'text/xml',
    'application/javascript',
    'text/css',
    'application/pdf',
    '',
    'x',
    'text/html, application/json',
    'multipart/x-mixed-replace; boundary=x',
  ].flatMap((type) =>
    [200, 400, 500].map((status) => [`${titleOf(type)}, ${status}`, { type, status }] as const),
  ),
  async ({ type, status }) => {
    const answer: Answer = async (call, response) => {
      await call.received;
      response.writeHead(status, { 'content-type': type }).end('<script>alert(document.cookie)</script>');
    };
    const { answers } = await assertKeepsKey(PROXY, answer);
    expect(answers[0]?.header('content-security-policy')).toMatch(/sandbox/);
  },
);

// Redirects and odd statuses

const PLACES = [
  'http://127.0.0.1:9/',
  'https://evil.example/',
  '//evil.example/',
  '/elsewhere',
  '?x',
  'javascript:alert(1)',
  'file:///etc/passwd',
  '',
];
attack(
  'a redirect is not followed and not passed on',
  [300, 301, 302, 303, 305, 307, 308, 399].flatMap((status) =>
    PLACES.map((place) => [`${status} to ${titleOf(place)}`, { status, place }] as const),
  ),
  async ({ status, place }) => {
    const way = WAYS[(status + place.length) % WAYS.length] ?? PROXY;
    const calls = service.world.calls.length;
    const answer: Answer = async (call, response) => {
      await call.received;
      response.writeHead(status, { location: place }).end(`moved ${call.credential}`);
    };
    const { answers } = await assertKeepsKey(way, answer);
    expect(answers[0]?.status).toBeGreaterThanOrEqual(way[0] === 'check' ? 200 : 400);
    expect(answers[0]?.header('location')).toBeUndefined();
    expect(service.world.calls.length - calls).toBeLessThanOrEqual(1);
  },
);
attack(
  'a status that HTTP does not know is an error of the provider',
  [0, 1, 99, 100, 101, 102, 103, 199, 600, 700, 999, 1000].map((status) => [String(status), status]),
  async (status) => {
    const answer: Answer = async (call, response) => {
      await call.received;
      response.socket?.end(`HTTP/1.1 ${String(status).padStart(3, '0')} X\r\nContent-Length: 2\r\n\r\n{}`);
    };
    const { answers } = await assertKeepsKey(PROXY, answer, { mayBeCut: true });
    if (answers.length > 0) expect(answers[0]?.status).toBeGreaterThanOrEqual(400);
  },
);

// Broken transports

const raw =
  (bytes: string | Uint8Array): Answer =>
  async (call, response) => {
    await call.received;
    response.socket?.end(bytes);
  };
const OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
const BROKEN: readonly (readonly [string, Answer])[] = [
  ['a reset', (_call, response) => void response.socket?.resetAndDestroy()],
  ['a closed connection', (_call, response) => void response.destroy()],
  ['no HTTP', raw('nonsense\r\n\r\n')],
  ['half a status line', raw('HTTP/1.1 2')],
  ['half a header', raw('HTTP/1.1 200 OK\r\nContent-Ty')],
  ['a header without a colon', raw('HTTP/1.1 200 OK\r\nnonsense\r\n\r\n')],
  ['a header with a NUL', raw('HTTP/1.1 200 OK\r\nX: a\u0000b\r\nContent-Length: 2\r\n\r\n{}')],
  ['a folded header', raw('HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}')],
  ['100 KB of headers', raw(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\nContent-Length: 2\r\n\r\n{}`)],
  ['five thousand headers', raw(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(5_000)}Content-Length: 2\r\n\r\n{}`)],
  ['a length that is too long', raw(`${OK}Content-Length: 100\r\n\r\n{}`)],
  ['a length that is too short', raw(`${OK}Content-Length: 1\r\n\r\n{}{}{}`)],
  ['two lengths', raw(`${OK}Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}`)],
  ['a negative length', raw(`${OK}Content-Length: -2\r\n\r\n{}`)],
  ['a length that is no number', raw(`${OK}Content-Length: two\r\n\r\n{}`)],
  [
    'a length and chunks',
    raw(`${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`),
  ],
  ['a broken chunk', raw(`${OK}Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n`)],
  ['a chunk that ends early', raw(`${OK}Transfer-Encoding: chunked\r\n\r\n50\r\n{}`)],
  ['an unknown transfer coding', raw(`${OK}Transfer-Encoding: x\r\n\r\n{}`)],
  ['two answers', raw(`${OK}Content-Length: 2\r\n\r\n{}${OK}Content-Length: 8\r\n\r\n"second"`)],
  ['interim answers', raw(`${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(50)}${OK}Content-Length: 2\r\n\r\n{}`)],
  [
    'early hints with a cookie',
    raw(`HTTP/1.1 103 Early Hints\r\nSet-Cookie: a=b\r\n\r\n${OK}Content-Length: 2\r\n\r\n{}`),
  ],
  [
    'a switch of protocols',
    raw('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
  ],
  ['HTTP/0.9', raw('{}')],
  ['HTTP/2', raw('HTTP/2 200\r\n\r\n{}')],
  ['no length and no end but the connection’s', raw(`${OK}Connection: close\r\n\r\n{"a":1}`)],
  [
    'gzip that nobody asked for',
    async (call, response) => {
      await call.received;
      response
        .writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' })
        .end(gzipSync(`{"a":"${'x'.repeat(100)}"}`));
    },
  ],
  [
    'a bomb',
    async (call, response) => {
      await call.received;
      response
        .writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' })
        .end(gzipSync(Buffer.alloc(100_000_000)));
    },
  ],
  [
    'a bomb as an error',
    async (call, response) => {
      await call.received;
      response
        .writeHead(400, { 'content-encoding': 'gzip', 'content-type': 'application/json' })
        .end(gzipSync(Buffer.alloc(100_000_000)));
    },
  ],
  [
    'an error of 5 MB',
    async (call, response) => {
      await call.received;
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`${call.credential} `.repeat(100_000));
    },
  ],
  [
    'an error in UTF-16',
    async (call, response) => {
      await call.received;
      response
        .writeHead(400, { 'content-type': 'application/json; charset=utf-16le' })
        .end(Buffer.from(`{"key":"${call.credential}"}`, 'utf16le'));
    },
  ],
  [
    'an error in UTF-16 without a charset',
    async (call, response) => {
      await call.received;
      response
        .writeHead(400, { 'content-type': 'application/json' })
        .end(Buffer.from(`{"key":"${call.credential}"}`, 'utf16le'));
    },
  ],
  [
    'bytes that are no UTF-8',
    async (call, response) => {
      await call.received;
      response
        .writeHead(400)
        .end(Buffer.concat([Buffer.alloc(100, 255), Buffer.from(call.credential ?? '')]));
    },
  ],
];
attack(
  'a broken answer ends in an answer of ours, or cut off as it was',
  BROKEN.flatMap(([name, answer]) =>
    [WAYS[0], WAYS[3], WAYS[5], WAYS[6]].map(
      (way = PROXY) => [`${name}, ${way[0]}`, { way, answer }] as const,
    ),
  ),
  async ({ way, answer }) => {
    await assertKeepsKey(way, answer, { mayBeCut: true });
  },
);
const SLOW: readonly (readonly [string, Answer])[] = [
  ['no answer', () => undefined],
  ['half a header', (_call, response) => void response.socket?.write('HTTP/1.1 200 OK\r\nX')],
];
attack(
  'a provider that never answers is given up',
  SLOW.map(([name, answer]) => [name, answer]),
  async (answer) => {
    const { answers } = await assertKeepsKey(PROXY, answer);
    expect(answers[0]?.header('x-userkeys-error')).toBe('provider_timeout');
  },
);
attack(
  'a stream without an end is cut when the caller leaves',
  ['text/event-stream', 'application/json', 'text/plain', 'application/octet-stream'].map((type) => [
    type,
    type,
  ]),
  async (type) => {
    await service.settle();
    let hasLeft: Promise<void> | undefined;
    service.world.providers.answerNextWith((call, response) => {
      hasLeft = call.left;
      response.writeHead(200, { 'content-type': type });
      const timer = setInterval(() => response.write(`data: ${'x'.repeat(5_000)}\n\n`), 2);
      response.on('close', () => clearInterval(timer));
    });
    const exchange = await service.send(PROXY[1], { ...PROXY[2], token: alice.token, maxBytes: 100_000 });
    expect(exchange.isTimeout).toBe(false);
    await hasLeft;
    assertNoSecrets(service, exchange.answers, [alice.token]);
  },
);

// What is metered

const FIGURES: readonly unknown[] = [
  -1,
  -1_000_000,
  1.5,
  1e308,
  -1e308,
  2 ** 53,
  2 ** 53 - 1,
  -(2 ** 53),
  '5',
  null,
  true,
  [],
  {},
  [1],
  { valueOf: 1 },
  '1e9',
  0,
];
attack(
  'token figures of any kind never make usage negative or unreadable',
  FIGURES.flatMap((figure) =>
    (['json', 'events'] as const).map((form) => [`${titleOf(figure)} in ${form}`, { figure, form }] as const),
  ),
  async ({ figure, form }) => {
    const usage = {
      prompt_tokens: figure,
      completion_tokens: figure,
      total_tokens: figure,
      prompt_tokens_details: { cached_tokens: figure },
    };
    const body = JSON.stringify({ model: 'm', usage });
    const answer: Answer = async (call, response) => {
      await call.received;
      response.writeHead(200, { 'content-type': form === 'json' ? 'application/json' : 'text/event-stream' });
      response.end(form === 'json' ? body : `data: ${body}\n\ndata: [DONE]\n\n`);
    };
    await assertKeepsKey(PROXY, answer);
    const read = assertPromises(service, await service.send('/api/usage', { token: alice.token }), [200]);
    for (const number of read.text.match(/-?\d[\d.e+]*(?=[,}\]])/g) ?? []) {
      expect(Number(number)).toBeGreaterThanOrEqual(0);
      expect(Number.isSafeInteger(Number(number))).toBe(true);
    }
    assertPromises(service, await service.send('/api/account', { token: alice.token }), [200]);
  },
);
attack(
  'a model name or event of any kind is metered or left out',
  [
    'x'.repeat(100_000),
    'a b c',
    '\u0000',
    '../x',
    '%',
    '__proto__',
    'é',
    '{"a":1}',
    'calls',
    '-',
    ' ',
    'm\nOTHER',
  ].map((model) => [titleOf(model), model]),
  async (model) => {
    const answer: Answer = async (call, response) => {
      await call.received;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(
        `data: ${JSON.stringify({ model, usage: { prompt_tokens: 1, completion_tokens: 1 } })}\n\n`,
      );
    };
    await assertKeepsKey(PROXY, answer);
    assertPromises(service, await service.send('/api/usage', { token: alice.token }), [200]);
  },
);
attack(
  'an event stream of any shape passes, and the service goes on',
  [
    ['an event of 6 MB', `data: ${'x'.repeat(6_000_000)}\n\n`],
    ['6 MB without an event', 'x'.repeat(6_000_000)],
    ['100,000 events', 'data: {"model":"m"}\n\n'.repeat(100_000)],
    ['100,000 blank lines', '\n\n'.repeat(100_000)],
    ['events that are no JSON', 'data: {"usage":{"prompt_tokens"\n\n'.repeat(1_000)],
    ['deep JSON', `data: ${'['.repeat(50_000)}"prompt_tokens"\n\n`],
    ['a retry of years', 'retry: 99999999999999\n\ndata: x\n\n'],
  ] as readonly (readonly [string, string])[],
  async (text) => {
    const answer: Answer = async (call, response) => {
      await call.received;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(text);
    };
    const { answers } = await assertKeepsKey(PROXY, answer);
    expect(answers[0]?.body.length).toBe(text.length);
  },
);

// While a key is saved

attack(
  'a key that is being saved does not come back, whatever the check answers',
  BROKEN.slice(0, 26).map(([name, answer]) => [name, answer]),
  async (answer) => {
    await service.settle();
    const key = newProviderKey();
    service.secrets.add(key);
    service.world.providers.answerNextWith(answer);
    const exchange = await service.send('/api/keys/tavily', {
      method: 'PUT',
      token: alice.token,
      json: { key },
    });
    assertPromises(service, exchange, [200, 201, 'key_rejected'], [alice.token]);
  },
);
