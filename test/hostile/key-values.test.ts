/** Odd values of keys. What is acknowledged reads back exactly; what is refused changes nothing. */
import { readFile, writeFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { parse as dotenv } from 'dotenv';
import { afterAll, beforeAll, expect } from 'vitest';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { defineFamily, seededNumbers, titleOf } from './family.ts';
import { type Allowed, assertPromises } from './promises.ts';
import { type Person, type Service, startService } from './start-service.ts';

/** A provider for each way of sending a key. */
const PROVIDERS: readonly ProviderId[] = ['openai', 'anthropic', 'copilotkit'];
const attack = defineFamily('key-values');
const random = seededNumbers(4);

let service: Service;
let alice: Person;
/** What the provider must receive now, by provider. */
const current = new Map<ProviderId, string>();

beforeAll(async () => {
  service = await startService();
  alice = await service.person('alice', PROVIDERS);
  for (const [provider, key] of alice.keys) current.set(provider, key);
  await service.settle();
});
afterAll(() => service.close());

const printable = (length: number) =>
  Array.from({ length }, () => String.fromCharCode(0x21 + random(94))).join('');
const anything = (length: number) =>
  Array.from({ length }, () => String.fromCharCode(random(0x250))).join('');

const VALUES: readonly unknown[] = [
  ...[
    '',
    ' ',
    '\t',
    '\n',
    '\r\n',
    '\u00a0',
    '\u3000',
    '\ufeff',
    '\u0000',
    'a',
    'ab',
    '0',
    'null',
    'undefined',
    'true',
    '[object Object]',
    '{}',
    '[]',
  ],
  ...[
    'key\nOTHER=x',
    'key\rOTHER=x',
    'key\r\nOTHER=x',
    'key\\nOTHER=x',
    'key\u2028OTHER=x',
    'key\u2029x',
    'key\u0085x',
    'key\u000bx',
    'key\u000cx',
    'key\nexport A=b',
    '\nOTHER=x',
    'x\n',
    '\nx',
    'key#comment',
    'key #comment',
    '#key',
    'key=',
    '=key',
    'OTHER=x',
    'export OTHER=x',
    'A: b',
  ],
  ...[
    '"key"',
    "'key'",
    '`key`',
    '"key',
    "key'",
    'a"b',
    "a'b",
    'a`b',
    '"',
    "'",
    '\\',
    'key\\',
    '\\\\',
    'key\\"',
    '$HOME',
    `\${HOME}`,
    '$(id)',
    '`id`',
    '%PATH%',
    '!x',
    '~',
    '~root',
    '*',
    '?',
    '&',
    '|',
    ';',
    '<',
    '>',
    '(',
    ')',
    '{a,b}',
    'key; OTHER=x',
    'key && x',
  ],
  ...[
    'Bearer key-0123456789',
    'bearer key-0123456789',
    'Bearer',
    'Bearer  ',
    'Basic a2V5',
    'Authorization: Bearer key',
    'x-api-key: key',
    'OPENAI_API_KEY=key-0123456789',
    'export OPENAI_API_KEY=key',
    '"OPENAI_API_KEY": "key"',
    'sk-...',
    'sk-****',
    '[key]',
    '[secret]',
    '<your key>',
  ],
  ...[
    'key with spaces',
    'key\twith tab',
    ' key-0123456789',
    'key-0123456789 ',
    '\tkey-0123456789\n',
    'key  key',
    'a,b',
    'key,key',
    'a;b',
    'a:b',
    'a@b',
    'a/b',
    'a?b',
    'a%b',
    'a%00b',
    'a%0d%0ab',
    'a+b',
    'a=b',
    '../a',
    '-',
    '--',
    '-x',
    '.',
    '..',
    '_',
    'é',
    'ключ',
    '鍵',
    '🔑',
    'k\u0301ey',
    'k\u200bey',
    '\u202ekey',
    'key\ufeff',
    '\ud800',
    'key\udfff',
    'ｋｅｙ',
    'k\u00ady',
    '\x7f',
    '\x1b[31m',
    '\x08',
  ],
  ...[
    'key\r\nX-Injected: 1',
    'key\r\n\r\nGET / HTTP/1.1',
    'key\u0000\r\n',
    'key%0d%0aX: y',
    '__proto__',
    'constructor',
    '{"key":"x"}',
    "' OR 1=1 --",
    '<script>alert(1)</script>',
    '{{7*7}}',
    `\${jndi:ldap://x}`,
  ],
  ...[4_095, 4_096, 4_097, 5_000, 20_000, 60_000].map((length) => 'k'.repeat(length)),
  ...[null, 0, 1, 1.5, true, [], ['key'], {}, { key: 'x' }, { length: 20 }],
  ...Array.from({ length: 20 }, (_, index) => printable(8 + index * 5)),
  ...Array.from({ length: 20 }, (_, index) => anything(8 + index * 3)),
];
const REFUSED: Allowed = ['invalid_request', 'invalid_json'];

/** The key in use before and after; a refused value changes neither. */
async function save(provider: ProviderId, value: unknown): Promise<boolean> {
  await service.settle();
  const before = await service.snapshot();
  const secret = typeof value === 'string' && value.trim().length >= 8 ? [value.trim()] : [];
  const exchange = await service.send(`/api/keys/${provider}`, {
    method: 'PUT',
    token: alice.token,
    json: { key: value },
  });
  const answer = assertPromises(service, exchange, [200, 201, ...REFUSED], [alice.token, ...secret]);
  await service.settle();
  const isStored = answer.status < 300;
  if (isStored) current.set(provider, String(value).trim());
  else expect(await service.snapshot()).toEqual(before);
  return isStored;
}

async function assertInUse(provider: ProviderId): Promise<void> {
  const calls = service.world.calls.length;
  const key = current.get(provider) ?? '';
  const secret = key.length >= 8 ? [key] : [];
  assertPromises(
    service,
    await service.send(`/api/proxy/${provider}/v1/x`, { token: alice.token }),
    [200],
    secret,
  );
  await service.settle();
  expect(service.world.calls.slice(calls).map(({ credential }) => credential)).toEqual([key]);
  const raw = service.world.calls.at(-1)?.rawHeaders ?? [];
  expect(raw.some((name, index) => index % 2 === 0 && /injected/i.test(name))).toBe(false);
}

attack(
  'a stored key is the key that was sent, a refused one changes nothing',
  VALUES.flatMap((value, index) => {
    const provider = PROVIDERS[index % PROVIDERS.length] ?? 'openai';
    return [[`${provider}: ${titleOf(value)}`, { provider, value }] as const];
  }),
  async ({ provider, value }) => {
    await save(provider, value);
    await assertInUse(provider);
  },
);

// Values that are certainly refused

attack(
  'a value that no header can carry, or that is not a key alone, is refused',
  [
    ...[
      '',
      ' ',
      '\n',
      '\u0000',
      'key\nOTHER=x',
      'key\r\nX-Injected: 1',
      'key\u0000x',
      'é',
      '鍵',
      '🔑',
      'key\u2028x',
      'k\u200bey',
      '\x7fkey',
      '\x1b[31mkey',
    ],
    ...[
      'Authorization: Bearer key-0123456789',
      'x-api-key: key-0123456789',
      '"key-0123456789"',
      'OPENAI_API_KEY=key-0123456789',
      'Bearer key-0123456789',
      'bearer key-0123456789',
      'key with spaces',
      'key\twith tab',
      'k'.repeat(4_097),
    ],
    ...[null, 0, true, [], {}, undefined],
  ].map((value) => [titleOf(value), value]),
  async (value) => {
    expect(await save('openai', value)).toBe(false);
    await assertInUse('openai');
  },
);

// The provider's word on an odd key

attack(
  'a key that the provider refuses changes nothing',
  ['refused-0123456789', 'refused-"x', "refused-'x", 'refused-=#$', 'refused-\\n'].flatMap((value) =>
    PROVIDERS.map((provider) => [`${provider}: ${value}`, { provider, value }] as const),
  ),
  async ({ provider, value }) => {
    await service.settle();
    const before = await service.snapshot();
    const exchange = await service.send(`/api/keys/${provider}`, {
      method: 'PUT',
      token: alice.token,
      json: { key: value },
    });
    assertPromises(service, exchange, ['key_rejected'], [value]);
    await service.settle();
    expect(await service.snapshot()).toEqual(before);
    await assertInUse(provider);
  },
);

// Local mode, where a key is also written to `.env`

const OTHER_LINES = '# settings\nFIRST=1\nexport QUOTED="a # b"\nLAST=\'x y\'\n';
let local: Service;
let developer: Person;
let envFile: string;
beforeAll(async () => {
  local = await startService({ mode: 'local' });
  developer = await local.person('developer');
  envFile = local.world.env.ENV_FILE ?? '';
});
afterAll(() => local.close());

attack(
  'in local mode no value writes another variable, and what is written reads back',
  VALUES.map((value) => [titleOf(value), value]),
  async (value) => {
    await writeFile(envFile, OTHER_LINES);
    await local.call('/api/keys/openai', { method: 'DELETE', token: developer.token });
    const exchange = await local.send('/api/keys/openai', {
      method: 'PUT',
      token: developer.token,
      json: { key: value },
    });
    const answer = assertPromises(local, exchange, [200, 201, ...REFUSED]);
    await local.settle();
    const text = await readFile(envFile, 'utf8');
    expect(text.startsWith(OTHER_LINES)).toBe(true);
    const key = String(value).trim();
    const { envFile: where } = answer.status < 300 ? JSON.parse(answer.text) : { envFile: undefined };
    for (const parsed of [dotenv(text), { ...parseEnv(text) }]) {
      const { OPENAI_API_KEY: written, ...others } = parsed;
      expect(others).toEqual({ FIRST: '1', QUOTED: 'a # b', LAST: 'x y' });
      expect(written).toBe(where === 'written' ? key : undefined);
    }
    if (answer.status >= 300) return;
    const calls = local.world.calls.length;
    await local.call('/api/proxy/openai/v1/x', { token: developer.token });
    await local.settle();
    expect(local.world.calls.slice(calls).map(({ credential }) => credential)).toEqual([key]);
  },
);
