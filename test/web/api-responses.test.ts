import { expect, test } from 'vitest';
import { describeCatalogue } from '../../lib/handlers/providers.ts';
import { keyMetadata } from '../../lib/keys/key-metadata.ts';
import { keyStatus } from '../../lib/vault/key-record.ts';
import { readProblem } from '../../web/client/api-error.ts';
import { fetchPublic } from '../../web/client/api-fetch.ts';
import { parseCheckedKey, parseProviders, parseStoredKey } from '../../web/client/api-responses.ts';
import { readTokenSubject } from '../../web/client/token-subject.ts';

const stored = {
  provider: 'openai',
  hint: 'abcd',
  status: 'valid',
  version: 3,
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: null,
  lastUsedAt: null,
};

test('parses a stored key like the server’s schema, in every status', () => {
  for (const status of [...keyStatus.options, 'unreadable']) {
    for (const envFile of [{}, { envFile: 'written' }, { envFile: 'kv-only' }, { envFile: 'env-only' }]) {
      const answer = { ...stored, status, ...envFile };
      expect(parseStoredKey(answer)).toEqual(keyMetadata.parse(answer));
    }
  }
});

test('rejects a stored key if any member has the wrong type', () => {
  for (const name of Object.keys(stored)) {
    expect(() => parseStoredKey({ ...stored, [name]: {} }), name).toThrow(TypeError);
  }
  expect(() => parseStoredKey([])).toThrow(TypeError);
  expect(() => parseStoredKey(null)).toThrow(TypeError);
  expect(() => parseCheckedKey({ ...stored, verdict: 'maybe' })).toThrow(TypeError);
});

test('parses the whole catalogue, and rejects a link that is not an https URL', () => {
  const catalogue: unknown = JSON.parse(JSON.stringify(describeCatalogue('/api')));
  expect(parseProviders(catalogue)).toEqual(describeCatalogue('/api').providers);
  const [first] = describeCatalogue('/api').providers;
  expect(() => parseProviders({ providers: [{ ...first, keyPage: 'javascript:alert(1)' }] })).toThrow(
    TypeError,
  );
});

test('an error that is not a problem document keeps only its status', async () => {
  const body = '<h1>Bad gateway: secret detail</h1>';
  const error = await readProblem(new Response(body, { status: 502, headers: { 'retry-after': '7' } }));
  expect(error).toMatchObject({ code: 'unexpected_answer', status: 502, retryAfterSeconds: 7 });
  expect(error.message).not.toContain('secret');
});

test('never sends a token unencrypted to another machine', async () => {
  for (const apiBase of ['http://keys.example', 'ftp://keys.example', 'keys.example', 'javascript:0']) {
    await expect(fetchPublic(apiBase, '/api/providers')).rejects.toThrow(TypeError);
  }
});

test('reads the subject of a token in UTF-8; anything that is not a JWT has no subject', () => {
  const payload = Buffer.from(JSON.stringify({ sub: 'üser|~?>' })).toString('base64url');
  expect(readTokenSubject(`a.${payload}.c`)).toBe('üser|~?>');
  for (const token of ['', 'a.b.c', 'opaque', `a.${btoa('{"sub":1}')}.c`])
    expect(readTokenSubject(token)).toBeUndefined();
});
