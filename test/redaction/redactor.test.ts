import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createRedactor } from '../../lib/providers/redact.ts';
import { Secret } from '../../lib/secret.ts';
import { newProviderKey } from '../support/start-world.ts';

const key = newProviderKey('sk-proj-');
const redact = await createRedactor(new Secret(key));
const first = (length: number) => key.slice(0, length);
const last = (length: number) => key.slice(-length);

/** No piece of the key of eight characters or more, beyond what every such key begins with. */
function expectNothingLeft(text: string): void {
  for (let start = 4; start + 8 <= key.length; start += 1) {
    expect(text).not.toContain(key.slice(start, start + 8));
  }
}

describe('a key echoed whole', () => {
  test.each([
    ['as it is', key],
    ['in a URL', `https://api.example/x?key=${encodeURIComponent(key)}&a=1`],
    ['as a bearer token', `Bearer ${key}`],
    ['in base64', Buffer.from(key).toString('base64')],
    ['hashed', createHash('sha256').update(key).digest('hex')],
    ['hashed, in capitals', createHash('sha256').update(key).digest('hex').toUpperCase()],
    ['twice', `${key} and ${key}`],
  ])('%s', (_form, echo) => {
    const text = redact(`{"error":{"message":"Invalid API key: ${echo}"}}`);
    expect(text).toContain('[key]');
    expect(text).not.toContain(echo);
    expectNothingLeft(text);
    expect(() => JSON.parse(text)).not.toThrow();
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

describe('a key echoed masked', () => {
  const masked = (mask: string, start: number, end: number) =>
    `${start === 0 ? '' : first(start)}${mask}${end === 0 ? '' : last(end)}`;
  test.each([
    ['OpenAI: eight and four', masked('********************', 8, 4)],
    ['DeepSeek: the last four', masked('****', 0, 4)],
    ['xAI: two and two', masked('...', 2, 2)],
    ['with an ellipsis', masked('…', 6, 4)],
    ['with bullets', masked('••••••', 7, 4)],
    ['with crosses', masked('xxxxxxxx', 8, 4)],
    ['with capital crosses', masked('XXXXXXXX', 8, 4)],
    ['with dashes in between', masked('****-****-', 8, 4)],
    ['with a mask escaped in JSON', masked('\\u2022\\u2022\\u2022', 8, 4)],
    ['the beginning alone', masked('***', 12, 0)],
    ['the end alone', masked('***', 0, 12)],
  ])('%s', (_form, echo) => {
    const text = redact(`{"error":"Incorrect API key provided: ${echo}. See the docs."}`);
    expect(text).toContain('[key]');
    expect(text).not.toContain(last(4));
    expectNothingLeft(text);
  });

  test.each([`ending in ${last(4)}`, `ends with "${last(4)}"`, `the last 4 characters are ${last(4)}`])(
    'told in words: %s',
    (words) => {
      expect(redact(`Your key ${words} is invalid`)).not.toContain(last(4));
    },
  );

  test('a long piece of it, without any mask', () => {
    expectNothingLeft(redact(`key ${first(20)} is unknown, and so is ${key.slice(10, 30)}`));
  });
});

describe('what is no key stays', () => {
  test.each([
    'Please wait... and try again',
    '{"error":{"message":"model gpt-****-preview not found"}}',
    'Bad request: expected 2..5 items',
    'sk is no key',
    '{"id":"chatcmpl-0123456789abcdef0123456789abcdef"}',
    'ending in tears',
  ])('%s', (text) => {
    expect(redact(text)).toBe(text);
  });
});

test('a megabyte is redacted in a moment, whatever it holds', () => {
  for (const piece of ['a', 'a-', '*', '.', 'x', 'ab**', `${first(6)}...`, '\\u2022', `${first(9)} `]) {
    const text = piece.repeat(Math.floor((1024 * 1024) / piece.length));
    const startedAt = performance.now();
    redact(text);
    expect(performance.now() - startedAt, piece).toBeLessThan(1_500);
  }
});
