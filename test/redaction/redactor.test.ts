import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createRedactor } from '../../lib/redaction/redactor.ts';
import { Secret } from '../../lib/secret.ts';
import { newProviderKey } from '../support/start-world.ts';

const key = newProviderKey('sk-proj-');
const redact = await createRedactor(new Secret(key));
const first = (length: number) => key.slice(0, length);
const last = (length: number) => key.slice(-length);

/** Checks that no piece of eight or more characters of the key remains, except the prefix that all such keys share. */
function expectNothingLeft(text: string): void {
  const folded = text.toLowerCase();
  for (let start = 4; start + 8 <= key.length; start += 1) {
    expect(folded).not.toContain(key.slice(start, start + 8).toLowerCase());
  }
}

describe('removes a key that is echoed whole', () => {
  test.each([
    ['unchanged', key],
    ['in a URL', `https://api.example/x?key=${encodeURIComponent(key)}&a=1`],
    ['as a bearer token', `Bearer ${key}`],
    ['in base64', Buffer.from(key).toString('base64')],
    ['hashed', createHash('sha256').update(key).digest('hex')],
    ['hashed, in upper case', createHash('sha256').update(key).digest('hex').toUpperCase()],
    ['twice', `${key} and ${key}`],
    ['in upper case', key.toUpperCase()],
    ['in lower case', key.toLowerCase()],
    ['attached to a word', `key_${key}_x`],
    ['escaped in JSON', key.replaceAll('-', '\\u002D').replaceAll('s', '\\u0073')],
    ['escaped in JSON within JSON', JSON.stringify(JSON.stringify({ k: key })).slice(1, -1)],
    ['escaped numerically in JSON within JSON', key.replaceAll('-', '\\\\u002d')],
    ['with every character percent-encoded', key.replace(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`)],
    ['percent-encoded twice', key.replace(/./g, (c) => `%25${c.charCodeAt(0).toString(16)}`)],
    ['escaped in HTML', key.replaceAll('-', '&#45;').replaceAll('p', '&#x70;')],
    ['in hexadecimal', Buffer.from(key).toString('hex')],
    ['as a bearer token in base64', Buffer.from(`Bearer ${key}`).toString('base64')],
    ['as a password in base64', Buffer.from(`:${key}`).toString('base64')],
    ['as a password in base64url', Buffer.from(`ab${key}`).toString('base64url')],
  ])('%s', (_form, echo) => {
    const text = redact(`{"error":{"message":"Invalid API key: ${echo}"}}`);
    expect(text).toContain('[key]');
    expect(text).not.toContain(echo);
    expectNothingLeft(JSON.parse(text).error.message);
  });

  test.each(['a"quoted\\key', 'with/slashes/and+plus=', 'spaces in it'])('%s', async (odd) => {
    const redactOdd = await createRedactor(new Secret(odd));
    const forms = [
      odd,
      JSON.stringify(odd).slice(1, -1),
      JSON.stringify(odd).slice(1, -1).replaceAll('/', '\\/'),
      encodeURIComponent(odd),
      encodeURIComponent(odd).toLowerCase(),
    ];
    for (const form of forms) expect(redactOdd(`key ${form}!`)).toBe('key [key]!');
  });
});

describe('removes a key that is echoed masked', () => {
  const masked = (mask: string, start: number, end: number) =>
    `${start === 0 ? '' : first(start)}${mask}${end === 0 ? '' : last(end)}`;
  test.each([
    ['as OpenAI does: eight and four characters', masked('********************', 8, 4)],
    ['as DeepSeek does: the last four characters', masked('****', 0, 4)],
    ['as xAI does: two and two characters', masked('...', 2, 2)],
    ['with an ellipsis', masked('…', 6, 4)],
    ['with bullets', masked('••••••', 7, 4)],
    ['with the letter x', masked('xxxxxxxx', 8, 4)],
    ['with the letter X', masked('XXXXXXXX', 8, 4)],
    ['with dashes in between', masked('****-****-', 8, 4)],
    ['with a mask escaped in JSON', masked('\\u2022\\u2022\\u2022', 8, 4)],
    ['with only its start visible', masked('***', 12, 0)],
    ['with only its end visible', masked('***', 0, 12)],
    ['with dots in brackets', masked('[...]', 9, 9)],
    ['with a word in brackets', masked('<hidden>', 9, 9)],
    ['in upper case', masked('****', 8, 4).toUpperCase()],
  ])('%s', (_form, echo) => {
    const text = redact(`{"error":"Incorrect API key provided: ${echo}. See the docs."}`);
    expect(text).toContain('[key]');
    expect(text).not.toContain(last(4));
    expect(text.toLowerCase()).not.toContain(last(4).toLowerCase());
    expectNothingLeft(text);
  });

  test.each([`ending in ${last(4)}`, `ends with "${last(4)}"`, `the last 4 characters are ${last(4)}`])(
    'by a phrase: %s',
    (words) => {
      expect(redact(`Your key ${words} is invalid`)).not.toContain(last(4));
    },
  );

  test.each(['(truncated)', '...', '…', '', '_and_so_on', '.txt'])('truncated, followed by %j', (rest) => {
    expectNothingLeft(redact(`key_${first(28)}${rest}`));
  });

  test('truncated or masked, with dots in the key', async () => {
    const dotted = `AQ.${key.slice(8, 20)}.${key.slice(20, 34)}.${key.slice(34)}`;
    const redactDotted = await createRedactor(new Secret(dotted));
    expect(redactDotted(`key ${dotted.slice(0, 25)} (truncated)`)).toBe('key [key] (truncated)');
    expect(redactDotted(`key ${dotted.slice(0, 7)}****${dotted.slice(-4)}, see`)).toBe('key [key], see');
  });

  test('as a long piece without a mask', () => {
    expectNothingLeft(redact(`key ${first(20)} is unknown, and so is ${key.slice(10, 30)}`));
  });
});

describe('leaves other text unchanged', () => {
  test.each([
    'Please wait... and try again',
    '{"error":{"message":"model gpt-****-preview not found"}}',
    'Bad request: expected 2..5 items',
    'sk is no key',
    '{"id":"chatcmpl-0123456789abcdef0123456789abcdef"}',
    'ending in tears',
    '{"path":"C:\\\\new\\\\x","quote":"\\"100%25 \\u00fc&#252;\\"","list":[1,...]}',
    'Wait (...) and see [redacted], or SK-PROJ and xxxxxx',
    'iİıK'.repeat(20),
  ])('%s', (text) => {
    expect(redact(text)).toBe(text);
  });
});

test('removes a short key as a whole', async () => {
  const redactShort = await createRedactor(new Secret('abc-7'));
  expect(redactShort('key abc-7 or abc%2D7, not ABC-7 or abc')).toBe('key [key] or [key], not ABC-7 or abc');
});

test('redacts a megabyte quickly, whatever the key', async () => {
  const long = 'a'.repeat(4095);
  const redactLong = await createRedactor(new Secret(`${long}c`));
  for (const piece of [
    'aaaaaaaaaab ',
    `${'a'.repeat(2000)}b `,
    `${'a'.repeat(63)}**`,
    `ending in ${long} `,
  ]) {
    const text = piece.repeat(Math.floor((1024 * 1024) / piece.length));
    const startedAt = performance.now();
    redactLong(text);
    expect(performance.now() - startedAt, piece.slice(0, 20)).toBeLessThan(3_000);
  }
});

test('redacts a megabyte quickly, whatever the text', () => {
  for (const piece of [
    '%2525',
    'a',
    'a-',
    '*',
    '.',
    'x',
    'ab**',
    `${first(6)}...`,
    '\\u2022',
    `${first(9)} `,
  ]) {
    const text = piece.repeat(Math.floor((1024 * 1024) / piece.length));
    const startedAt = performance.now();
    redact(text);
    expect(performance.now() - startedAt, piece).toBeLessThan(3_000);
  }
});
