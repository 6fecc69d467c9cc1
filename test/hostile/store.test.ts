/** A store that lies, breaks, stalls, or holds what somebody forged: never a wrong key, never "no keys". */

import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { createClient } from '@vercel/kv';
import { afterAll, beforeAll, expect } from 'vitest';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { newProviderKey } from '../support/start-world.ts';
import { defineFamily, seededNumbers, titleOf } from './family.ts';
import { type HostileStore, placesIn, type StoreAttack, startHostileStore } from './hostile-store.ts';
import { type Allowed, assertAnswer, assertNoSecrets, assertPaidBy, assertPromises } from './promises.ts';
import { type Person, type RequestParts, type Service, startService } from './start-service.ts';

const KEYS: readonly ProviderId[] = ['openai', 'exa', 'gemini'];
const attack = defineFamily('store');
const random = seededNumbers(7);

let service: Service;
let store: HostileStore;
let alice: Person;
let mallory: Person;

beforeAll(async () => {
  service = await startService();
  alice = await service.person('alice', KEYS);
  mallory = await service.person('mallory', KEYS);
  for (const { token } of [alice, mallory]) {
    const json = { guards: { callsPerDay: 900_000, expiresAt: '2099-01-01T00:00:00Z' } };
    await service.call('/api/keys/openai', { method: 'PATCH', token, json });
    await service.call('/api/onboarding', { token });
  }
  store = await startHostileStore(service.world.kv);
  service.recompose({ KV_REST_API_URL: store.url });
  await service.settle();
});
afterAll(async () => {
  await service.close();
  await store.close();
});

const ROUTES: readonly (readonly [method: string, target: string, json?: unknown])[] = [
  ['GET', '/api/keys'],
  ['GET', '/api/keys/openai'],
  ['PUT', '/api/keys/groq', { key: newProviderKey() }],
  ['POST', '/api/keys/openai'],
  ['PATCH', '/api/keys/openai', { guards: { callsPerDay: 800_000 } }],
  ['GET', '/api/onboarding'],
  ['PATCH', '/api/onboarding', { step: 'api-keys', status: 'completed' }],
  ['GET', '/api/proxy/openai/v1/models'],
  ['POST', '/api/generate', { prompt: 'Hello', provider: 'openai' }],
  ['POST', '/api/generate', { prompt: 'Hello', stream: true }],
  ['POST', '/api/search', { query: 'x' }],
  ['GET', '/api/audit'],
  ['GET', '/api/usage'],
  ['GET', '/api/account'],
];
const titles = ROUTES.map(([method, target]) => `${method} ${target}`);

type Attempt = { readonly route: number; readonly how: StoreAttack };

/** Runs a call under attack. Returns its answer's code, or its status. */
async function attempt({ route, how }: Attempt, allowed: Allowed): Promise<string | number> {
  const [method, target, json] = ROUTES[route] ?? ['GET', '/api/keys'];
  await service.settle();
  const calls = service.world.calls.length;
  store.attack(how);
  const parts: RequestParts = { method, token: alice.token, ...(json === undefined ? {} : { json }) };
  const exchange = await service.send(target, parts);
  const answer = assertPromises(service, exchange, allowed, [alice.token]);
  await service.settle();
  assertNoSecrets(service, []);
  if (method === 'PUT') {
    // The check of a new key at its provider; nobody else's key is involved.
    expect(service.world.calls.slice(calls).every(({ credential }) => credential === newKey(json))).toBe(
      true,
    );
  } else if (answer.status < 300 || method === 'POST') assertPaidBy(service, alice, calls);
  else assertPaidBy(service, undefined, calls);
  return answer.header('x-userkeys-error') ?? answer.status;
}

const newKey = (json: unknown) =>
  typeof json === 'object' && json !== null && 'key' in json ? json.key : undefined;

// Answers of a shape that the store cannot give

const SUBSTITUTES: readonly (readonly [string, (value: unknown) => unknown])[] = [
  ['an object', () => ({ a: 1 })],
  ['an error in an object', () => ({ error: 'ERR' })],
  ['true', () => true],
  ['a fraction', () => 0.5],
  ['a list of lists', () => [[[]]]],
  ['text for a number, a number for text', (value) => (typeof value === 'number' ? String(value) : 7)],
  ['null for a number, an object for the rest', (value) => (typeof value === 'number' ? null : {})],
];
const replaceAt =
  (seed: number, substitute: (value: unknown) => unknown): NonNullable<StoreAttack['change']> =>
  (results) => {
    const places = placesIn(results);
    const place = places[seed % places.length];
    if (place === undefined) return undefined;
    place.parent[place.index] = substitute(place.parent[place.index]);
    return results;
  };
const crossed = (perRoute: number, only: number) =>
  ROUTES.flatMap((_, route) =>
    Array.from({ length: perRoute }, (__, index) => {
      const [name, substitute] = SUBSTITUTES[index % SUBSTITUTES.length] ?? ['', () => null];
      const seed = random(10_000);
      const how: StoreAttack = { only, change: replaceAt(seed, substitute) };
      return [`${titles[route]}: ${name} at place ${seed}, request ${only}`, { route, how }] as const;
    }),
  );
attack('an answer of an impossible shape is an outage', crossed(14, 0), async (one) => {
  const code = await attempt(one, ['store_unavailable', 200, 201]);
  if (store.wasAttacked()) expect(code).toBe('store_unavailable');
});
attack(
  'a later answer of an impossible shape is an outage or comes after the response',
  crossed(4, 1),
  async (one) => {
    await attempt(one, ['store_unavailable', 200, 201]);
  },
);

// Whole answers

const LISTS: readonly (readonly [string, NonNullable<StoreAttack['change']>])[] = [
  ['no results', () => []],
  ['one result too few', (results) => results.slice(1)],
  ['one result too many', (results) => [...results, 'more']],
  ['every result an object', (results) => results.map(() => ({}))],
  ['every result text', (results) => results.map(() => 'OK')],
  ['every result true', (results) => results.map(() => true)],
  [
    'every list empty, every number text',
    (results) => results.map((value) => (Array.isArray(value) ? {} : String(value))),
  ],
];
attack(
  'an answer with other results is an outage',
  ROUTES.flatMap((_, route) =>
    LISTS.map(
      ([name, change]) => [`${titles[route]}: ${name}`, { route, how: { only: 0, change } }] as const,
    ),
  ),
  async (one) => {
    const code = await attempt(one, ['store_unavailable', 200, 201]);
    if (store.wasAttacked()) expect(code).toBe('store_unavailable');
  },
);

const send =
  (
    status: number,
    body: string | Uint8Array,
    headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
  ) =>
  (response: ServerResponse) => {
    response.writeHead(status, headers);
    response.end(body);
  };
const SECRET_TEXT = 'HSET userkeys:keys:alice secret-of-the-store';
const RAW: readonly (readonly [string, NonNullable<StoreAttack['respond']>])[] = [
  ...[
    201, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 408, 413, 418, 429, 500, 501, 502, 503, 504, 599,
  ].map(
    (status) =>
      [
        `status ${status}`,
        (response: ServerResponse, real: string) =>
          send(status, [204, 304].includes(status) ? '' : real, { location: 'http://127.0.0.1:9/' })(
            response,
          ),
      ] as const,
  ),
  ...[
    '',
    ' ',
    'null',
    'true',
    '1',
    '"OK"',
    '{}',
    '[]',
    '[null]',
    '[[]]',
    '[{}]',
    '[{"result":',
    '{"result":[]}',
    `{"error":"${SECRET_TEXT}"}`,
    `[{"error":"${SECRET_TEXT}"}]`,
    '[{"error":1}]',
    '<html>',
    'NaN',
    '\ufeff[]x',
    '['.repeat(100_000),
    '[{"result":null}]',
    '[{"error":"WRONGPASS"}]',
  ].map((body) => [`the body ${titleOf(body)}`, send(200, body)] as const),
  ['5 MB of text', send(200, `["${'x'.repeat(5_000_000)}"]`)],
  ['5 MB of results', send(200, `[${'{"result":null},'.repeat(300_000)}{"result":null}]`)],
  ['unknown bytes', send(200, Buffer.alloc(1_000, 255))],
  ['gzip', (response, real) => send(200, gzipSync(real), { 'content-encoding': 'gzip' })(response)],
  ['gzip without saying so', (response, real) => send(200, gzipSync(real))(response)],
  ['a bomb', send(200, gzipSync(Buffer.alloc(50_000_000)), { 'content-encoding': 'gzip' })],
  ['UTF-16', (response, real) => send(200, Buffer.from(real, 'utf16le'))(response)],
  ['half of it', (response, real) => send(200, real.slice(0, real.length / 2))(response)],
  [
    'a length that is too short',
    (response, real) => send(200, real.slice(0, 5), { 'content-length': '5' })(response),
  ],
  ['no answer but a closed connection', (response) => void response.destroy()],
  [
    'headers and a closed connection',
    (response) => {
      response.writeHead(200);
      response.flushHeaders();
      setTimeout(() => response.destroy(), 5);
    },
  ],
  [
    'half of it and a closed connection',
    (response, real) => {
      response.writeHead(200, { 'content-length': String(real.length) });
      response.write(real.slice(0, 3));
      setTimeout(() => response.destroy(), 5);
    },
  ],
  ['bytes that are no HTTP', (response) => void response.socket?.end('nonsense\r\n\r\n')],
  [
    'two answers',
    (response, real) =>
      void response.socket?.end(
        `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]HTTP/1.1 200 OK\r\nContent-Length: ${real.length}\r\n\r\n${real}`,
      ),
  ],
  [
    '100 KB of headers',
    (response) =>
      void response.socket?.end(
        `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\nContent-Length: 2\r\n\r\n[]`,
      ),
  ],
  [
    'a hundred interim answers',
    (response) =>
      void response.socket?.end(
        `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]`,
      ),
  ],
];
/** A read, a call with a key and a write. */
const CHOSEN = [0, 7, 2];
attack(
  'a broken answer is an outage',
  RAW.flatMap(([name, respond]) =>
    CHOSEN.map((route) => [`${titles[route]}: ${name}`, { route, how: { only: 0, respond } }] as const),
  ),
  async (one) => {
    expect(await attempt(one, ['store_unavailable', 200, 201])).toBe('store_unavailable');
    expect(store.wasAttacked()).toBe(true);
  },
);
const slow: readonly (readonly [string, NonNullable<StoreAttack['respond']>])[] = [
  ['no answer', () => undefined],
  [
    'headers and nothing more',
    (response) => {
      response.writeHead(200);
      response.flushHeaders();
    },
  ],
  [
    'one byte every 100 ms',
    (response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(' '), 100);
      response.on('close', () => clearInterval(timer));
    },
  ],
  [
    'half of it and nothing more',
    (response, real) => {
      response.writeHead(200);
      response.write(real.slice(0, 3));
    },
  ],
];
attack(
  'a slow store is an outage, in time',
  slow.map(([name, respond]) => [`${titles[7]}: ${name}`, { route: 7, how: { only: 0, respond } }] as const),
  async (one) => {
    expect(await attempt(one, ['store_unavailable'])).toBe('store_unavailable');
  },
);

// What somebody wrote into the store

/** The name of a user's hash, whatever the names of the store look like. */
async function hashOf(person: Person, kind: 'keys' | 'guards'): Promise<string> {
  const names = (await service.snapshot()).map(nameIn);
  const found = names.filter(
    (name) => name.includes(person.sub) && new RegExp(`(?:^|:)${kind}(?::|$)`).test(name),
  );
  expect(found).toHaveLength(1);
  return found[0] ?? '';
}
/** A line of a snapshot is a name without spaces, and its content. */
const nameIn = (line: string) => line.slice(0, line.indexOf(' '));
const kv = () =>
  createClient({ url: service.world.kv.url, token: service.world.kv.token, automaticDeserialization: false });

type Forgery = (own: string, others: { readonly mallorys: string; readonly alicesExa: string }) => string;
const editJson =
  (edit: (record: Record<string, unknown>) => void): Forgery =>
  (own) => {
    const record: Record<string, unknown> = JSON.parse(own);
    edit(record);
    return JSON.stringify(record);
  };
const editEnvelope = (edit: (parts: string[]) => readonly string[]): Forgery =>
  editJson((record) => {
    record.jwe = edit(String(record.jwe).split('.')).join('.');
  });
const editHeader = (edit: (header: Record<string, unknown>) => unknown): Forgery =>
  editEnvelope(([head = '', ...rest]) => {
    const header: Record<string, unknown> = JSON.parse(Buffer.from(head, 'base64url').toString());
    return [Buffer.from(JSON.stringify(edit(header))).toString('base64url'), ...rest];
  });
const flipByte = (part: string, at: number) => {
  const bytes = Buffer.from(part, 'base64url');
  const index = at % Math.max(1, bytes.length - 1);
  bytes[index] = (bytes[index] ?? 0) ^ (1 << (at % 8));
  return bytes.toString('base64url');
};
const FORGERIES: readonly (readonly [string, Forgery])[] = [
  ['mallory’s record', (_own, { mallorys }) => mallorys],
  ['alice’s own record of another provider', (_own, { alicesExa }) => alicesExa],
  [
    'mallory’s envelope in alice’s record',
    (own, { mallorys }) =>
      editJson((record) => Object.assign(record, { jwe: JSON.parse(mallorys).jwe }))(own, {
        mallorys,
        alicesExa: '',
      }),
  ],
  ...[
    '',
    ' ',
    'null',
    '0',
    '""',
    '[]',
    '{}',
    'x',
    '{"v":1}',
    '{"jwe":"x"}',
    '\u0000',
    '{',
    '"a.b.c.d.e"',
    'k'.repeat(100_000),
  ].map((text) => [`the text ${titleOf(text)}`, () => text] as const),
  ...[0, 2, 99, '1', null, 1.5].map(
    (v) => [`version ${titleOf(v)} of the form`, editJson((record) => Object.assign(record, { v }))] as const,
  ),
  ...['status', 'hint', 'version', 'createdAt', 'updatedAt', 'jwe', 'v'].flatMap((member) => [
    [`no ${member}`, editJson((record) => delete record[member])] as const,
    [`null as ${member}`, editJson((record) => Object.assign(record, { [member]: null }))] as const,
    [
      `a list as ${member}`,
      editJson((record) => Object.assign(record, { [member]: [record[member]] })),
    ] as const,
  ]),
  ['a status nobody knows', editJson((record) => Object.assign(record, { status: 'admin' }))],
  ['a hint of a whole key', editJson((record) => Object.assign(record, { hint: 'x'.repeat(50) }))],
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((at) => [
    [
      `a flipped bit in the nonce, ${at}`,
      editEnvelope(([a = '', b = '', c = '', d = '', e = '']) => [a, b, flipByte(c, at), d, e]),
    ] as const,
    [
      `a flipped bit in the text, ${at}`,
      editEnvelope(([a = '', b = '', c = '', d = '', e = '']) => [a, b, c, flipByte(d, at * 3), e]),
    ] as const,
    [
      `a flipped bit in the tag, ${at}`,
      editEnvelope(([a = '', b = '', c = '', d = '', e = '']) => [a, b, c, d, flipByte(e, at * 2)]),
    ] as const,
  ]),
  ...[0, 8, 15].map(
    (length) =>
      [
        `a tag of ${length} bytes`,
        editEnvelope(([a = '', b = '', c = '', d = '', e = '']) => [
          a,
          b,
          c,
          d,
          Buffer.from(e, 'base64url').subarray(0, length).toString('base64url'),
        ]),
      ] as const,
  ),
  ...[0, 8, 16].map(
    (length) =>
      [
        `a nonce of ${length} bytes`,
        editEnvelope(([a = '', b = '', , d = '', e = '']) => [
          a,
          b,
          Buffer.alloc(length).toString('base64url'),
          d,
          e,
        ]),
      ] as const,
  ),
  ['an encrypted key', editEnvelope(([a = '', , c = '', d = '', e = '']) => [a, 'AAAA', c, d, e])],
  ['no text', editEnvelope(([a = '', b = '', c = '', , e = '']) => [a, b, c, '', e])],
  ['four parts', editEnvelope((parts) => parts.slice(0, 4))],
  ['six parts', editEnvelope((parts) => [...parts, 'x'])],
  ['three parts', editEnvelope((parts) => parts.slice(0, 3))],
  [
    'an envelope of 20 KB',
    editEnvelope(([a = '', b = '', c = '', , e = '']) => [a, b, c, 'A'.repeat(20_000), e]),
  ],
  ...['none', 'RSA-OAEP', 'A256KW', 'PBES2-HS256+A128KW', 'ECDH-ES', 'Dir', '', null].map(
    (alg) => [`alg ${titleOf(alg)}`, editHeader((header) => ({ ...header, alg }))] as const,
  ),
  ...['A128GCM', 'A128CBC-HS256', 'none', 'a256gcm', '', null].map(
    (enc) => [`enc ${titleOf(enc)}`, editHeader((header) => ({ ...header, enc }))] as const,
  ),
  ...['other', '', '__proto__', 'constructor', '../k', 'k'.repeat(3_000), null, 0, [], {}].map(
    (kid) => [`kid ${titleOf(kid)}`, editHeader((header) => ({ ...header, kid }))] as const,
  ),
  ...[
    { zip: 'DEF' },
    { crit: ['exp'] },
    { p2c: 1e9, p2s: 'x' },
    { jku: 'http://127.0.0.1:9/' },
    { jwk: {} },
    { epk: {} },
    { typ: 'JWT' },
    { x: 1 },
  ].map(
    (more) =>
      [`the header member ${titleOf(more)}`, editHeader((header) => ({ ...header, ...more }))] as const,
  ),
  ...['null', '[]', '""', '1', '{}', 'x'].map(
    (text) =>
      [
        `the header ${titleOf(text)}`,
        editEnvelope(([, ...rest]) => [Buffer.from(text).toString('base64url'), ...rest]),
      ] as const,
  ),
];
attack('a record that somebody forged or moved does not open', FORGERIES, async (forge) => {
  await service.settle();
  store.attack(undefined);
  const [alices, mallorys] = [await hashOf(alice, 'keys'), await hashOf(mallory, 'keys')];
  const read = async (name: string, field: string) => (await kv().hget<string>(name, field)) ?? '';
  const own = await read(alices, 'openai');
  const forged = forge(own, {
    mallorys: await read(mallorys, 'openai'),
    alicesExa: await read(alices, 'exa'),
  });
  await kv().hset(alices, { openai: forged });
  try {
    const calls = service.world.calls.length;
    const used = await service.send('/api/proxy/openai/v1/models', { token: alice.token });
    assertPromises(service, used, ['key_unreadable', 'key_missing', 'store_unavailable'], [alice.token]);
    const listed = assertPromises(service, await service.send('/api/keys', { token: alice.token }), [
      200,
      'store_unavailable',
    ]);
    if (listed.status === 200) {
      // One damaged record does not hide the others.
      expect(listed.text).toContain('"exa"');
      expect(listed.text).toContain('"gemini"');
    }
    for (const target of ['/api/keys/openai', '/api/account', '/api/usage']) {
      assertPromises(service, await service.send(target, { token: alice.token }), [
        200,
        'key_missing',
        'store_unavailable',
      ]);
    }
    await service.settle();
    assertPaidBy(service, undefined, calls);
  } finally {
    await kv().hset(alices, { openai: own });
  }
});
attack(
  'a record that is rolled back is at most the owner’s former key',
  ['once', 'twice', 'over a deletion'].map((name) => [name, name]),
  async (name) => {
    const bob = await service.person(`bob-${name.replaceAll(' ', '-')}`, ['openai']);
    const hash = await hashOf(bob, 'keys');
    const former = (await kv().hget<string>(hash, 'openai')) ?? '';
    for (let times = 0; times < (name === 'twice' ? 2 : 1); times += 1) {
      const key = newProviderKey();
      service.secrets.add(key);
      await service.call('/api/keys/openai', { method: 'PUT', token: bob.token, json: { key } });
    }
    if (name === 'over a deletion')
      await service.call('/api/keys/openai', { method: 'DELETE', token: bob.token });
    await service.settle();
    await kv().hset(hash, { openai: former });
    const calls = service.world.calls.length;
    assertPromises(service, await service.send('/api/proxy/openai/v1/models', { token: bob.token }), [
      200,
      'key_unreadable',
      'key_missing',
    ]);
    await service.settle();
    assertPaidBy(service, bob, calls);
  },
);

attack(
  'the same subject of another tenant is somebody else, whose records do not open here',
  ['other', 't', 'T-1', 'a'.repeat(64)].map((tenant) => [titleOf(tenant), tenant]),
  async (tenant, _name, index) => {
    const sub = `carol-${index}`;
    const here = await service.person(sub, ['openai']);
    const hereHash = await hashOf(here, 'keys');
    const namesBefore = new Set((await service.snapshot()).map(nameIn));
    service.recompose({ KV_REST_API_URL: store.url, AUTH_TENANT: tenant });
    try {
      const listed = assertPromises(service, await service.send('/api/keys', { token: here.token }), [200]);
      expect(JSON.parse(listed.text)).toEqual({ keys: [] });
      await service.person(sub, ['openai']);
      const [thereHash = ''] = (await service.snapshot())
        .map(nameIn)
        .filter((name) => !namesBefore.has(name));
      await kv().hset(thereHash, { openai: (await kv().hget<string>(hereHash, 'openai')) ?? '' });
      await service.settle();
      const calls = service.world.calls.length;
      const used = await service.send('/api/proxy/openai/v1/models', { token: here.token });
      assertPromises(service, used, ['key_unreadable']);
      await service.settle();
      assertPaidBy(service, undefined, calls);
    } finally {
      service.recompose({ KV_REST_API_URL: store.url });
    }
    const calls = service.world.calls.length;
    assertPromises(service, await service.send('/api/proxy/openai/v1/models', { token: here.token }), [200]);
    await service.settle();
    expect(assertPaidBy(service, here, calls)).toHaveLength(1);
  },
);

// Guards that somebody forged

const GUARDS: readonly (readonly [string, string])[] = [
  ...['', '0', 'x', 'true', 'null', '2', '1 '].map((value) => ['paused', value] as const),
  ...[
    '',
    '0',
    '-1',
    '1',
    'x',
    'NaN',
    'Infinity',
    '1e999',
    '-1e999',
    '1e308',
    '0x10',
    '9'.repeat(400),
    '1.5',
    '2099-01-01',
    ' 1',
    'null',
    '8640000000000001',
  ].map((value) => ['expiresAt', value] as const),
  ...[
    '',
    ' ',
    '  ',
    'a',
    'a b',
    '*',
    '.*',
    '%',
    '[',
    'x'.repeat(100_000),
    '-',
    '\u0000',
    'é',
    '{}',
    '[]',
  ].map((value) => ['models', value] as const),
  ...[
    '',
    '0',
    '-1',
    '1',
    'x',
    'NaN',
    'nan',
    'inf',
    '1e999',
    '-1e999',
    '1.5',
    '9'.repeat(400),
    '0x10',
    ' 5',
    'null',
    '{}',
  ].map((value) => ['callsPerDay', value] as const),
  ...['nobody', '__proto__', 'constructor', ''].map((name) => [name, '1'] as const),
];
attack(
  'a forged guard is obeyed or refused, and never an error of ours',
  GUARDS.map(([name, value]) => [`${name} = ${titleOf(value)}`, [name, value] as const]),
  async ([name, value]) => {
    await service.settle();
    store.attack(undefined);
    const guards = await hashOf(alice, 'guards');
    const former = (await kv().hgetall<Record<string, string>>(guards)) ?? {};
    await kv().hset(guards, { [`openai:${name}`]: value });
    try {
      const calls = service.world.calls.length;
      const GUARDED: Allowed = [
        200,
        'key_paused',
        'key_expired',
        'model_not_allowed',
        'daily_limit_reached',
        'store_unavailable',
      ];
      for (const target of ['/api/proxy/openai/v1/models', '/api/keys', '/api/keys/openai', '/api/account']) {
        assertPromises(service, await service.send(target, { token: alice.token }), GUARDED, [alice.token]);
      }
      await service.settle();
      assertPaidBy(service, alice, calls);
    } finally {
      await kv().del(guards);
      const restored = Array.isArray(former) ? pairs(former) : former;
      await kv().hset(guards, restored);
    }
  },
);

/** Without deserialization the client returns a hash as names and values alternately. */
function pairs(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1] ?? '']] : [])),
  );
}

attack(
  'after all of it the store is as it was for everybody else',
  [['mallory', () => mallory] as const],
  async (person) => {
    store.attack(undefined);
    await service.settle();
    const calls = service.world.calls.length;
    const exchange = await service.send('/api/proxy/openai/v1/models', { token: person().token });
    for (const answer of exchange.answers) assertAnswer(service, answer, [200]);
    await service.settle();
    expect(assertPaidBy(service, person(), calls)).toHaveLength(1);
  },
);
