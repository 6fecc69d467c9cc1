/** What is copied along with a key is refused with a sentence that says what to paste. */
import { expect, test } from 'vitest';
import { Problem } from '../../lib/errors.ts';
import { parseInput } from '../../lib/http/json.ts';
import { saveKeyBody } from '../../lib/keys/save-key-body.ts';
import { catalogue } from '../../lib/providers/catalogue.ts';
import { hintOf } from '../../lib/vault/key-record.ts';
import { newProviderKey } from '../support/start-world.ts';

function refusalOf(key: unknown): Problem | undefined {
  try {
    parseInput({ key }, saveKeyBody);
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

const key = newProviderKey();

test.each([
  ['the word Bearer', `Bearer ${key}`, '“Bearer”'],
  ['bearer in lower case', `bearer  ${key}`, '“Bearer”'],
  ['the scheme Token', `Token ${key}`, '“Bearer”'],
  ['a header', `Authorization: Bearer ${key}`, '“Authorization:”'],
  ['a header without a space', `authorization:Bearer ${key}`, '“Authorization:”'],
  ['a header of its own', `x-api-key: ${key}`, 'the name of a header'],
  ['a header of its own, without a space', `X-Goog-Api-Key:${key}`, 'the name of a header'],
  ['a variable', `OPENAI_API_KEY=${key}`, 'after “=”'],
  ['an exported variable', `export OPENAI_API_KEY=${key}`, 'after “=”'],
  ['a quoted variable', `OPENAI_API_KEY="${key}"`, 'after “=”'],
  ['a name', `api_key=${key}`, 'after “=”'],
  ['double quotes', `"${key}"`, 'quotation marks'],
  ['single quotes', `'${key}'`, 'quotation marks'],
  ['typographic quotes', `“${key}”`, 'quotation marks'],
  ['a quote and a comma at the end', `${key}",`, 'quotation marks'],
  ['a space', `${key.slice(0, 9)} ${key.slice(9)}`, 'white space'],
  ['a tab', `${key}\t${key}`, 'white space'],
  ['two lines', `${key}\n${key}`, 'white space'],
  ['a hard space', `${key.slice(0, 9)}\u00a0${key.slice(9)}`, 'white space'],
  ['a zero-width space', `${key.slice(0, 9)}\u200b${key.slice(9)}`, 'invisible'],
  ['a zero-width joiner at the end', `${key}\u200d`, 'invisible'],
  ['a control character', `${key}\u0007`, 'invisible'],
  ['a null character', `${key}\0`, 'invisible'],
  ['a letter that is not ASCII', `${key}é`, 'invisible'],
  ['nothing', '', 'empty'],
  ['only white space', ' \n', 'empty'],
  ['too many characters', 'k'.repeat(4_097), 'at most 4096'],
])('a key with %s is refused and not repeated', (_what, value, says) => {
  const refusal = refusalOf(value);
  expect(refusal?.code).toBe('invalid_request');
  expect(refusal?.errors).toEqual([{ pointer: '/key', detail: expect.stringContaining(says) }]);
  expect(JSON.stringify(refusal?.errors)).not.toContain(key.slice(0, 9));
});

test.each([
  key,
  ` ${key}\r\n`,
  `${key}==`,
  `${'A'.repeat(20)}_B==`,
  `${key}=`,
  `${key}:${key}`,
  'bearer-of-good-news-1234567890',
  'token-1234567890-abcdefgh',
  `key-${key}`,
  `~!#$%&()*+,-./:;<=>?@[]^_{|}${key}`,
  'k'.repeat(4_096),
])('a key alone is accepted, whatever its shape: %s', (value) => {
  expect(refusalOf(value)).toBeUndefined();
  expect(parseInput({ key: value }, saveKeyBody).key).toBe(value.trim());
});

test.each(catalogue.map(({ id, variables: [variable] }) => [id, variable]))(
  'the variable of %s is not taken for a part of its key',
  (_provider, variable) => {
    expect(refusalOf(`${variable}=${key}`)?.errors[0]?.detail).toContain('after “=”');
  },
);

test('a value of any length is judged at once', () => {
  const start = performance.now();
  for (const part of ['x-', 'x-key-', 'A_', 'export ', 'api-', ' ', '"', 'token ']) {
    refusalOf(part.repeat(4_000 / part.length));
  }
  expect(performance.now() - start).toBeLessThan(50);
});

test('the last four characters are shown of a key of twenty characters or more', () => {
  const long = key.slice(0, 20);
  expect(hintOf(long)).toBe(long.slice(-4));
  expect(hintOf(key.slice(0, 19))).toBe('');
});
