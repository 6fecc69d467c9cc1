/** Paths that try to leave the provider, the gateway or the caller’s own data. */
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect } from 'vitest';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { catalogue, type ProviderId, providerIds } from '../../lib/providers/catalogue.ts';
import { routes } from '../../lib/routes.ts';
import { defineFamily, titleOf } from './family.ts';
import { type Allowed, assertAnswer, assertNoSecrets, assertPaidBy, assertPromises } from './promises.ts';
import { type Person, type Service, startService } from './start-service.ts';

const attack = defineFamily('paths');

let service: Service;
let alice: Person;
let victim: Person;
/** A server of the attacker's. It is never called. */
let evil: Server;
let evilHits = 0;
let evilHost: string;
let before: readonly string[];

beforeAll(async () => {
  service = await startService();
  alice = await service.person('alice', providerIds);
  victim = await service.person('victim', ['openai', 'exa']);
  evil = createServer((_request, response) => {
    evilHits += 1;
    response.end();
  });
  evilHost = `${LOOPBACK}:${await listen(evil)}`;
  await service.settle();
  before = await stored('victim');
});
afterAll(async () => {
  await service.close();
  await closeServer(evil);
});

const stored = async (sub: string) => (await service.snapshot()).filter((line) => line.includes(sub));

/** What any path may be answered with. */
const PATH_ANSWERS: Allowed = [
  ...(['path_refused', 'not_found', 'unknown_provider', 'method_not_allowed', 'invalid_request'] as const),
  ...(['key_missing', 'invalid_json'] as const),
  ...[200, 400, 414, 431],
] as Allowed;

/** The request reached nobody, or the provider that its path names, there below its root, with alice's own key. */
async function assertStays(target: string, method = 'GET'): Promise<void> {
  await service.settle();
  const calls = service.world.calls.length;
  const exchange = await service.send(target, { method, token: alice.token });
  expect(exchange.isTimeout).toBe(false);
  for (const answer of exchange.answers) assertAnswer(service, answer, PATH_ANSWERS);
  assertNoSecrets(service, exchange.answers, [alice.token]);
  await service.settle();
  for (const call of assertPaidBy(service, alice, calls)) assertPlain(call.target);
  expect(evilHits).toBe(0);
}

/** No server could read more than its own path in it, however often it decodes. */
function assertPlain(target: string): void {
  const [path = ''] = target.split('?');
  let text = path;
  for (let round = 0; round < 6; round += 1) {
    expect(text.startsWith('/'), text).toBe(true);
    expect(/\/\//.test(round === 0 ? text : ''), text).toBe(false);
    expect(text.includes('\\'), text).toBe(false);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(/[\u0000-\u001f\u007f]/.test(text), text).toBe(false);
    const segments = text.split('/').map((segment) => (segment.split(';')[0] ?? '').trimEnd());
    expect(segments, text).not.toContain('..');
    expect(segments, text).not.toContain('.');
    text = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
}

// Dot segments, plain and disguised

const DOTS: readonly string[] = [
  ...[
    '..',
    '.',
    '...',
    '%2e%2e',
    '%2E%2E',
    '.%2e',
    '%2e.',
    '%2e',
    '%252e%252e',
    '%25252e%25252e',
    '%2525252e%2525252e',
    '%%32%65%%32%65',
  ],
  ...[
    '..;',
    '..;x=1',
    '%2e%2e%3b',
    '..%3b',
    '..%3bx',
    '.;',
    '..%00',
    '%00..',
    '..%20',
    '%20..',
    '..%09',
    '..%0a',
    '..%0d%0a',
    '..%7f',
  ],
  ...[
    '..\\',
    '..%5c',
    '%5c..',
    '..%255c',
    '\\..\\',
    '%5c%2e%2e%5c',
    '..%2f',
    '%2f..',
    '%2f%2e%2e%2f',
    '..%252f',
    '..%25252f',
    '%2f',
    '%5c',
  ],
  ...[
    '%c0%ae%c0%ae',
    '%e0%80%ae',
    '%u002e%u002e',
    '%uff0e%uff0e',
    '\u2025',
    '%EF%BC%8E%EF%BC%8E',
    '%E2%80%A5',
    '%c0%af',
    '%ff%fe',
    '%',
    '%2',
    '%zz',
    '..%',
    '..#',
    '..?',
    '..:',
    '..,',
    '..@',
    '~',
    '..~',
  ],
];
const PLACES: readonly (readonly [string, (dots: string) => string])[] = [
  ['at the root of the provider', (dots) => `/api/proxy/openai/${dots}/v1/models`],
  ['in the middle, twice', (dots) => `/api/proxy/openai/v1/${dots}/${dots}/keys`],
  ['at the end', (dots) => `/api/proxy/openai/v1/models/${dots}`],
  ['as the provider', (dots) => `/api/proxy/${dots}/openai/v1/models`],
  ['before another provider', (dots) => `/api/proxy/openai/${dots}/exa/search`],
  ['as the id of a key', (dots) => `/api/keys/${dots}`],
  ['before the route', (dots) => `/api/${dots}/keys`],
];
attack(
  'a dot segment stays where it is or is refused',
  DOTS.flatMap((dots) => PLACES.map(([where, place]) => [`${titleOf(dots)} ${where}`, place(dots)] as const)),
  (target) => assertStays(target),
);

// Other addresses

const ADDRESSES: readonly ((host: string) => string)[] = [
  (host) => `http://${host}/`,
  (host) => `http://${host}/api/keys`,
  (host) => `HTTP://${host}/api/proxy/openai/v1/models`,
  (host) => `//${host}/api/keys`,
  (host) => `///${host}/`,
  (host) => `/\\${host}/`,
  (host) => `\\\\${host}\\x`,
  (host) => `/api/proxy/openai//${host}/x`,
  (host) => `/api/proxy/openai/\\${host}/x`,
  (host) => `/api/proxy/openai/%2f%2f${host}/x`,
  (host) => `/api/proxy/openai/%2f${host}/x`,
  (host) => `/api/proxy/openai/%5c%5c${host}/x`,
  (host) => `/api/proxy/openai/http://${host}/x`,
  (host) => `/api/proxy/openai/http:/${host}/x`,
  (host) => `/api/proxy/openai/http:%2f%2f${host}%2fx`,
  (host) => `/api/proxy/openai/https%3a%2f%2f${host}/x`,
  (host) => `/api/proxy/openai/@${host}/x`,
  (host) => `/api/proxy/openai/x@${host}/`,
  (host) => `/api/proxy/openai@${host}/v1/models`,
  (host) => `/api/proxy/openai%40${host}/v1/models`,
  (host) => `/api/proxy/openai:80@${host}/v1`,
  (host) => `/api/proxy/openai.${host}/v1/models`,
  (host) => `/api/proxy/openai/.${host}/x`,
  (host) => `/api/proxy/openai/:80@${host}/x`,
  (host) => `/api/proxy/openai/#@${host}/x`,
  (host) => `/api/proxy/openai/%23@${host}/x`,
  (host) => `/api/proxy/openai/?@${host}/x`,
  (host) => `/api/proxy/openai/%3f@${host}/x`,
  (host) => `/api/proxy/openai?url=http://${host}/`,
  (host) => `/api/proxy/openai/v1/models?base_url=http://${host}&host=${host}`,
  (host) => `/api/proxy/openai/v1/models#http://${host}`,
  (host) => `/api/proxy/http%3a%2f%2f${host}/x`,
  (host) => `/api/proxy/http://${host}/x`,
  (host) => `/api/proxy/${host}/x`,
  (host) => `/api/proxy//${host}/x`,
  (host) => `/api/proxy/openai/v1/models;@${host}`,
  (host) => `/api/proxy/openai/v1/models%20HTTP/1.1%0d%0aHost:%20${host}`,
  () => `/api/proxy/openai/v1/models%0d%0aX:%20y`,
  (host) => `/api/proxy/openai/v1/models\t@${host}`,
  (host) => `/api/proxy/openai/v1/\u0000@${host}`,
  (host) => `api/proxy/openai/v1?${host}`,
  (host) => `*?${host}`,
  (host) => `${host}`,
  (host) => `?http://${host}`,
  (host) => `javascript:alert(1)//${host}`,
  (host) => `file:///etc/passwd?${host}`,
];
attack(
  'an address in the path or query is never called',
  ADDRESSES.flatMap((address, index) =>
    ['GET', 'POST'].map(
      (method) => [`${method} ${titleOf(address('evil'))}`, [address, method, index] as const] as const,
    ),
  ),
  ([address, method]) => assertStays(address(evilHost), method),
);

// Providers that do not exist

const IDS: readonly string[] = [
  ...[
    'OpenAI',
    'OPENAI',
    'openai.',
    '.openai',
    'openai%20',
    '%20openai',
    'openai%00',
    '%00openai',
    'openai%0a',
    'openai%2fexa',
    'openai%2f..%2fexa',
  ],
  ...[
    'openai;exa',
    'openai,exa',
    'openai|exa',
    'openai&exa',
    'openai+exa',
    'exa%2f',
    'öpenai',
    'openai%E2%80%8B',
    'оpenai',
    'openaı',
    '%u006fpenai',
    '%25openai',
    'openai%',
  ],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'valueOf',
    '%5f%5fproto%5f%5f',
    'null',
    'undefined',
    '0',
    '-1',
    '[]',
    '{}',
    '*',
    '%2a',
    'openai*',
  ],
  ...[
    "'",
    '"',
    '`',
    '$',
    `\${openai}`,
    '{openai}',
    '%7Bopenai%7D',
    'openai:keys',
    'openai%3akeys',
    'keys',
    'openai%2500',
    'x'.repeat(300),
    'x'.repeat(7_000),
  ],
];
attack(
  'a provider that does not exist is nobody',
  IDS.flatMap((id) =>
    (
      [
        ['GET', `/api/proxy/${id}/v1/models`],
        ['GET', `/api/keys/${id}`],
        ['PUT', `/api/keys/${id}`],
        ['DELETE', `/api/keys/${id}`],
      ] as const
    ).map(([method, target]) => [`${method} ${titleOf(target)}`, [method, target] as const] as const),
  ),
  async ([method, target]) => {
    await service.settle();
    const [calls, stored] = [service.world.calls.length, await service.snapshot()];
    const json = method === 'PUT' ? { json: { key: 'a-key-for-nobody-0123456789' } } : {};
    const exchange = await service.send(target, { method, token: alice.token, ...json });
    for (const answer of exchange.answers) {
      assertAnswer(service, answer, ['unknown_provider', 'not_found', 'path_refused', 400, 404, 414, 431]);
    }
    expect(exchange.isTimeout).toBe(false);
    await service.settle();
    assertPaidBy(service, undefined, calls);
    expect(await service.snapshot()).toEqual(stored);
  },
);

// Sizes

attack(
  'a very long path or query ends in an answer',
  [1_000, 8_191, 8_192, 8_193, 12_000, 15_000, 17_000, 70_000].flatMap((size) =>
    (
      [
        ['segment', `/api/proxy/openai/${'x'.repeat(size)}`],
        ['segments', `/api/proxy/openai${'/x'.repeat(size / 2)}`],
        ['encoded', `/api/proxy/openai/${'%61'.repeat(size / 3)}`],
        ['percent signs', `/api/proxy/openai/${'%25'.repeat(size / 3)}`],
        ['query', `/api/proxy/openai/v1/models?${'x=1&'.repeat(size / 4)}`],
      ] as const
    ).map(([what, target]) => [`${what} of ${size}`, target] as const),
  ),
  (target) => assertStays(target),
);

// Methods

const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'QUERY',
  'get',
  'FOO',
  'G\u00e9T',
  'GET\u0000',
];
attack(
  'a method is answered by its own handler or refused',
  routes.flatMap(({ path }) =>
    METHODS.map(
      (method) =>
        [
          `${titleOf(method)} ${path}`,
          [method, `/api${path.replace(':provider', 'nobody').replace('*', 'x')}`] as const,
        ] as const,
    ),
  ),
  async ([method, target]) => {
    const exchange = await service.send(target, { method, token: victim.token });
    expect(exchange.isTimeout).toBe(false);
    for (const answer of exchange.answers) {
      assertAnswer(service, answer, [
        ...([
          'method_not_allowed',
          'unknown_provider',
          'invalid_json',
          'invalid_request',
          'token_invalid',
          'not_found',
          'rate_limited',
        ] as const),
        ...[200, 204, 400, 405],
      ]);
      if (method === 'TRACE') expect(answer.text).not.toContain(victim.token);
    }
    assertNoSecrets(service, exchange.answers, [victim.token]);
    await service.settle();
    // DELETE is allowed to delete. All else leaves the victim's keys.
    if (method === 'DELETE' && !target.endsWith('nobody')) {
      victim = await service.person('victim', ['openai', 'exa']);
      await service.settle();
      before = await stored('victim');
    }
  },
);
attack(
  'a header or parameter does not change the method or the route',
  [
    ...['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Original-Method'].map(
      (name) => [name, [name, 'DELETE']] as const,
    ),
    ...[
      'X-Original-URL',
      'X-Rewrite-URL',
      'X-Forwarded-Path',
      'X-Forwarded-Uri',
      'X-Matched-Path',
      'X-Invoke-Path',
      'X-Now-Route-Matches',
      'X-Forwarded-Prefix',
      'X-Middleware-Rewrite',
      'X-Middleware-Subrequest',
    ].map((name) => [name, [name, '/api/account']] as const),
  ] as readonly (readonly [string, readonly [string, string]])[],
  async (header) => {
    const exchange = await service.send('/api/keys?_method=DELETE', {
      token: victim.token,
      headers: [header],
    });
    const answer = assertPromises(service, exchange, [200], [victim.token]);
    expect(JSON.parse(answer.text).keys).toHaveLength(2);
    await service.settle();
    expect(await stored('victim')).toEqual(before);
  },
);

// The owner’s other names for a path

attack<ProviderId>(
  'a plain path reaches its own provider with its own key',
  providerIds.map((id) => [id, id]),
  async (id) => {
    const calls = service.world.calls.length;
    const exchange = await service.send(`/api/proxy/${id}/v1/some%20thing?a=b%2fc`, { token: alice.token });
    assertPromises(service, exchange, [200], [alice.token]);
    await service.settle();
    const [call] = assertPaidBy(service, alice, calls);
    expect([call?.provider, call?.target]).toEqual([id, '/v1/some%20thing?a=b%2fc']);
    expect(catalogue.map((provider) => provider.id)).toContain(id);
  },
);
