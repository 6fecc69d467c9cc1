import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, importSPKI, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { DEV_AUDIENCE, type Issuer, startIssuer } from '../../dev/issuer/start-issuer.ts';

const Jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) });
const TokenAnswer = z.object({ token: z.string() });

let issuer: Issuer;
beforeEach(async () => {
  issuer = await startIssuer({ authorizedParty: () => 'http://127.0.0.1:3000' });
});
afterEach(() => issuer.close());

async function fetchedKeys(from: Issuer): Promise<JSONWebKeySet> {
  return Jwks.parse(await (await fetch(from.jwksUrl)).json());
}

test('gives each of its two users a token that its published keys verify, shaped like a Clerk session token with an audience', async () => {
  const keys = createLocalJWKSet(await fetchedKeys(issuer));
  for (const user of ['alice', 'bob']) {
    const token = (await (await fetch(`${issuer.url}/token?user=${user}`)).text()).trim();
    const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer: issuer.url });
    expect(protectedHeader.alg).toBe('ES256');
    expect(payload).toMatchObject({
      sub: user,
      iss: issuer.url,
      aud: DEV_AUDIENCE,
      azp: 'http://127.0.0.1:3000',
    });
    expect(Object.keys(payload).sort()).toEqual(['aud', 'azp', 'exp', 'iat', 'iss', 'sub']);
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600);
  }
});

test('POST /token answers with JSON', async () => {
  const answer = await fetch(`${issuer.url}/token`, { method: 'POST', body: '{"user":"bob"}' });
  const { token } = TokenAnswer.parse(await answer.json());
  const key = await importSPKI(issuer.publicKeyPem, 'ES256');
  expect((await jwtVerify(token, key)).payload.sub).toBe('bob');
});

test('gives nobody else a token', async () => {
  for (const target of ['/token?user=carol', '/token', '/token?user=']) {
    expect((await fetch(issuer.url + target)).status).toBe(404);
  }
  for (const body of ['{"user":"carol"}', '{"user":["alice"]}', '{', '']) {
    expect((await fetch(`${issuer.url}/token`, { method: 'POST', body })).status).toBe(404);
  }
});

test('publishes no private key', async () => {
  expect(await (await fetch(issuer.jwksUrl)).text()).not.toContain('"d"');
});

test('lets pages of this machine read a token, and pages of other sites not', async () => {
  const readable = async (origin: string) =>
    (await fetch(`${issuer.url}/token?user=alice`, { headers: { origin } })).headers.get(
      'access-control-allow-origin',
    );
  expect(await readable('http://localhost:5173')).toBe('http://localhost:5173');
  expect(await readable('http://127.0.0.1:3000')).toBe('http://127.0.0.1:3000');
  expect(await readable('https://example.com')).toBeNull();
  expect(await readable('http://127.0.0.1.example.com')).toBeNull();
  expect(await readable('null')).toBeNull();
});

test('refuses a foreign Host, so that no name pointed at loopback reaches it', async () => {
  const { port } = new URL(issuer.url);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port, path: '/token?user=alice', headers: { host: 'example.com' } })
      .on('response', (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end();
  });
  expect(status).toBe(421);
});

test('listens on loopback only', () => {
  expect(new URL(issuer.url).hostname).toBe('127.0.0.1');
});

test('with a key file, tokens from before a restart still verify, and only the owner can read the file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'userkeys-issuer-'));
  const keyFile = join(directory, 'state', 'issuer-key.json');
  try {
    const before = await startIssuer({ keyFile });
    const token = await before.sign('alice');
    await before.close();
    const after = await startIssuer({ keyFile });
    try {
      expect((await jwtVerify(token, createLocalJWKSet(await fetchedKeys(after)))).payload.sub).toBe('alice');
      expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    } finally {
      await after.close();
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a damaged key file is replaced, not fatal', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'userkeys-issuer-'));
  const keyFile = join(directory, 'issuer-key.json');
  try {
    await writeFile(keyFile, '{"kty":"EC"');
    const started = await startIssuer({ keyFile });
    await started.close();
    expect(await readFile(keyFile, 'utf8')).toContain('"d"');
  } finally {
    await rm(directory, { recursive: true });
  }
});
