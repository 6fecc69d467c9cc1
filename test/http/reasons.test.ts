/** The log tells an operator which rule refused a call. The caller is never told. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import { reasons } from '../../lib/errors.ts';
import { query } from '../../lib/kv/query.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import { connect } from '../rotation/fill-store.ts';
import { call } from '../support/call.ts';
import { startTestIssuer } from '../support/issuer.ts';
import { serveApp } from '../support/serve-app.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';

let world: World;
const strict = {
  AUTH_AUDIENCE: 'userkeys',
  AUTH_AUTHORIZED_PARTIES: 'https://app.example',
  AUTH_REFUSED_KIDS: 'former, stolen',
};
const good = { aud: 'userkeys', azp: 'https://app.example' };
const now = () => Math.floor(Date.now() / 1000);

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

function serve(env: Readonly<Record<string, string>> = {}) {
  return serveApp(
    composeApp(loadConfig({ ...world.env, ...env }), { send: createUndiciSend(), after: () => {} }),
  );
}

/** Makes the call and returns the reason of its log line. The answer must not contain it. */
async function reasonOf(
  functions: ReturnType<typeof serve>,
  path: string,
  init: Parameters<typeof call>[2],
): Promise<unknown> {
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    const response = await call(functions, path, init);
    const text = await response.text();
    const lines = logged.mock.calls.map(([line]) => JSON.parse(String(line)));
    const line = lines.find(({ event }) => event === 'call');
    expect(line, text).toMatchObject({ code: JSON.parse(text).code, reason: expect.any(String) });
    if (line.reason !== line.code) expect(text).not.toContain(line.reason);
    expect(JSON.stringify(lines)).not.toContain(init?.token || 'no token');
    return line.reason;
  } finally {
    logged.mockRestore();
  }
}

describe('a refused token is logged with the rule that refused it', () => {
  test.each<[reason: string, claims: Record<string, unknown>, header?: Record<string, unknown>]>([
    ['token_issuer_wrong', { iss: 'https://other.example' }],
    ['token_audience_wrong', { aud: 'other' }],
    ['token_audience_missing', { aud: undefined }],
    ['token_party_wrong', { azp: 'https://other.example' }],
    ['token_claim_missing', { exp: undefined }],
    ['token_claim_missing', { iat: undefined }],
    ['token_claim_malformed', { nbf: 'soon' }],
    ['token_issued_in_future', { iat: now() + 60 }],
    ['token_not_yet_valid', { nbf: now() + 60 }],
    ['token_expired', { exp: now() - 60, iat: now() - 120 }],
    ['token_key_unknown', {}, { kid: 'another' }],
    ['token_header_refused', {}, { jku: 'https://other.example' }],
    ['token_type_refused', {}, { typ: 'logout+jwt' }],
    ['token_type_refused', {}, { typ: 'dpop+jwt' }],
    ['token_key_refused', {}, { kid: 'stolen' }],
    ['token_audience_malformed', { aud: ['userkeys', 7] }],
    ['token_party_malformed', { azp: ['https://app.example'] }],
    ['token_sender_constrained', { cnf: { jkt: 'x' } }],
    ['token_without_user', { sub: 'abc@clients' }],
    ['token_time_malformed', { exp: 1e308 }],
    ['token_expiry_before_issue', { iat: now() + 4, exp: now() + 3 }],
    ['token_lifetime_too_long', { iat: 1, exp: now() + 10 * 365 * 24 * 3_600 }],
  ])('%s', async (reason, claims, header) => {
    const token = await world.issuer.sign('alice', { ...good, ...claims }, header);
    expect(await reasonOf(serve(strict), '/api/keys', { token })).toBe(reason);
  });

  test('token_subject_unusable', async () => {
    const token = await world.issuer.sign('ümlaut', good);
    expect(await reasonOf(serve(strict), '/api/keys', { token })).toBe('token_subject_unusable');
  });

  test.each([
    ['token_malformed', () => 'not-a-token'],
    ['token_too_long', () => `a.${'b'.repeat(17_000)}.c`],
    ['token_algorithm_refused', () => world.issuer.unsigned('alice')],
  ])('%s', async (reason, token) => {
    expect(await reasonOf(serve(strict), '/api/keys', { token: token() })).toBe(reason);
  });

  test('token_signature_wrong', async () => {
    const [header, , signature] = (await world.issuer.sign('alice', good)).split('.');
    const [, payload] = (await world.issuer.sign('bob', good)).split('.');
    const token = [header, payload, signature].join('.');
    expect(await reasonOf(serve(strict), '/api/keys', { token })).toBe('token_signature_wrong');
  });

  test('session_token_missing', async () => {
    expect(await reasonOf(serve(), '/api/keys', {})).toBe('session_token_missing');
  });

  test.each([
    ['cron_token_missing', undefined],
    ['cron_secret_wrong', 'another-secret-of-16'],
  ])('%s', async (reason, token) => {
    expect(await reasonOf(serve(), '/api/cron/rotate', token === undefined ? {} : { token })).toBe(reason);
  });
});

describe('a token whose key is not used is logged with what is wrong with the key', () => {
  test.each<[reason: string, keys: () => object[]]>([
    ['token_key_private', () => [{ ...world.issuer.publicJwk(), d: 'AAAA' }]],
    ['token_key_ambiguous', () => [world.issuer.publicJwk(), world.issuer.publicJwk()]],
    ['token_key_unknown', () => [{ ...world.issuer.publicJwk(), use: 'enc' }]],
    ['token_key_unknown', () => [{ ...world.issuer.publicJwk(), alg: 'ES384' }]],
  ])('%s', async (reason, keys) => {
    onTestFinished(() => world.issuer.answerJwksWith());
    world.issuer.answerJwksWith(() => Response.json({ keys: keys() }));
    const token = await world.issuer.sign('alice', good);
    expect(await reasonOf(serve(strict), '/api/keys', { token })).toBe(reason);
  });

  test('token_key_weak', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1_024 });
    const weak = { ...publicKey.export({ format: 'jwk' }), kid: 'weak' };
    onTestFinished(() => world.issuer.answerJwksWith());
    world.issuer.answerJwksWith(() => Response.json({ keys: [weak] }));
    const claims = { iss: world.issuer.url, sub: 'alice', iat: now(), exp: now() + 60, ...good };
    const parts = [{ alg: 'RS256', kid: 'weak' }, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signature = sign('sha256', Buffer.from(parts.join('.')), privateKey).toString('base64url');
    const token = [...parts, signature].join('.');
    expect(await reasonOf(serve(strict), '/api/keys', { token })).toBe('token_key_weak');
  });
});

describe('an issuer that gives no keys is logged with what it did', () => {
  test.each<[reason: string, answer: () => Response]>([
    ['issuer_status_unexpected', () => new Response('{}', { status: 500 })],
    ['issuer_keys_malformed', () => new Response('<html>')],
    ['issuer_keys_unusable', () => Response.json({ keys: [] })],
    ['issuer_keys_too_large', () => new Response('x'.repeat(300_000))],
  ])('%s', async (reason, answer) => {
    const issuer = await startTestIssuer();
    onTestFinished(() => issuer.close());
    const token = await issuer.sign('alice');
    issuer.answerJwksWith(answer);
    expect(await reasonOf(serve({ AUTH_ISSUER: issuer.url }), '/api/keys', { token })).toBe(reason);
  });

  test('issuer_unreachable', async () => {
    const issuer = await startTestIssuer();
    const token = await issuer.sign('alice');
    await issuer.close();
    expect(await reasonOf(serve({ AUTH_ISSUER: issuer.url }), '/api/keys', { token })).toBe(
      'issuer_unreachable',
    );
  });
});

describe('a store that fails is logged with what it did', () => {
  test.each<[reason: string, status: number, body: string]>([
    ['store_status_unexpected', 500, '[]'],
    ['store_answer_not_json', 200, '<html>'],
    ['store_answer_unexpected', 200, '{}'],
    ['store_answer_unexpected', 200, '[null]'],
    ['store_answer_unexpected', 200, '[{"result":"OK"}]'],
    ['store_command_failed', 200, '[{"error":"ERR"},{"error":"ERR"},{"error":"ERR"}]'],
    ['store_answer_too_large', 200, ' '.repeat(5_000_000)],
  ])('%s', async (reason, status, body) => {
    const server = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(status).end(body));
    });
    onTestFinished(() => closeServer(server));
    const url = `http://${LOOPBACK}:${await listen(server)}`;
    const token = await world.tokenFor('alice');
    expect(await reasonOf(serve({ KV_REST_API_URL: url }), '/api/keys', { token })).toBe(reason);
  });

  test('store_unreachable', async () => {
    const server = createServer();
    const url = `http://${LOOPBACK}:${await listen(server)}`;
    await closeServer(server);
    const token = await world.tokenFor('alice');
    expect(await reasonOf(serve({ KV_REST_API_URL: url }), '/api/keys', { token })).toBe('store_unreachable');
  });
});

describe('a stored key that does not open is logged with what is wrong with it', () => {
  const envelopes: Readonly<Record<string, (jwe: string) => string>> = {
    envelope_malformed: () => 'no.envelope',
    envelope_too_long: (jwe) => jwe + 'A'.repeat(9_000),
    envelope_header_unexpected: (jwe) => {
      const header = Buffer.from('{"alg":"dir","enc":"A128GCM","kid":"k"}').toString('base64url');
      return [header, ...jwe.split('.').slice(1)].join('.');
    },
    master_key_missing: (jwe) => {
      const header = Buffer.from('{"alg":"dir","enc":"A256GCM","kid":"gone"}').toString('base64url');
      return [header, ...jwe.split('.').slice(1)].join('.');
    },
    envelope_not_authentic: (jwe) => {
      const parts = jwe.split('.');
      return [...parts.slice(0, 4), 'A'.repeat(22)].join('.');
    },
  };

  async function storeBroken(sub: string, breakRecord: (text: string) => string): Promise<string> {
    const token = await world.tokenFor(sub);
    await call(serve(), '/api/keys/openai', { method: 'PUT', token, json: { key: newProviderKey() } });
    const key = kvKey('keys', sub);
    const kv = connect(world.kv);
    const [text] = await kv.run(query((pipeline) => pipeline.hget(key, 'openai'), z.tuple([z.string()])));
    await kv.run(query((pipeline) => pipeline.hset(key, { openai: breakRecord(text) }), z.unknown()));
    return token;
  }

  test.each(Object.entries(envelopes))('%s', async (reason, breakEnvelope) => {
    const token = await storeBroken(`broken-${reason}`, (text) => {
      const record = JSON.parse(text);
      return JSON.stringify({ ...record, jwe: breakEnvelope(record.jwe) });
    });
    expect(await reasonOf(serve(), '/api/proxy/openai/v1/models', { token })).toBe(reason);
  });

  test('record_malformed', async () => {
    const token = await storeBroken('broken-record', () => '{"v":7}');
    expect(await reasonOf(serve(), '/api/proxy/openai/v1/models', { token })).toBe('record_malformed');
  });

  test('also where a list shows it as unreadable', async () => {
    const token = await storeBroken('broken-in-list', () => '{"v":7}');
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    onTestFinished(() => logged.mockRestore());
    await call(serve(), '/api/keys', { token });
    const lines = logged.mock.calls.map(([line]) => JSON.parse(String(line)));
    expect(lines).toContainEqual(
      expect.objectContaining({ event: 'key_unreadable', provider: 'openai', reason: 'record_malformed' }),
    );
  });
});

test('every reason has one code, and no reason is the name of a code', () => {
  const all = Object.values(reasons).flat();
  expect(new Set(all).size).toBe(all.length);
  expect(all.filter((reason) => Object.hasOwn(reasons, reason))).toEqual([]);
});
