/** The steps of the job written by hand; bench/scenarios/parts.ts measures them one by one. */
import { createDecipheriv, hkdfSync } from 'node:crypto';
import type { Readable } from 'node:stream';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Agent, request } from 'undici';

const env = (name: string) => process.env[name] ?? '';
const kvUrl = `${env('KV_REST_API_URL')}/pipeline`;
const kvHeaders = {
  authorization: `Bearer ${env('KV_REST_API_TOKEN')}`,
  'content-type': 'application/json',
};
const tenant = env('AUTH_TENANT');
const masterKey = Buffer.from(env('VAULT_KEYS').split(':')[1] ?? '', 'base64url');
const issuerKeys = createRemoteJWKSet(new URL(`${env('AUTH_ISSUER')}/.well-known/jwks.json`));
const expectations = { issuer: env('AUTH_ISSUER'), audience: env('AUTH_AUDIENCE'), algorithms: ['ES256'] };
const toKv = new Agent();
const toProvider = new Agent();

export async function verifyToken(token: string): Promise<string> {
  const { payload } = await jwtVerify(token, issuerKeys, expectations);
  return payload.sub ?? '';
}

async function runPipeline(commands: readonly (readonly (string | number)[])[]): Promise<unknown[]> {
  const { body } = await request(kvUrl, {
    dispatcher: toKv,
    method: 'POST',
    headers: kvHeaders,
    body: JSON.stringify(commands),
  });
  const answers: unknown = JSON.parse(await body.text());
  if (!Array.isArray(answers)) throw new Error('no answer of KV');
  return answers;
}

/** Counts the call and reads the record. */
export async function readRecord(sub: string): Promise<string> {
  const calls = `uk:{${tenant}:${sub}}:calls:${Math.floor(Date.now() / 60_000)}`;
  const answers = await runPipeline([
    ['INCR', calls],
    ['EXPIRE', calls, 120],
    ['HGET', `uk:{${tenant}:${sub}}:keys`, 'openai'],
  ]);
  const [, , answer] = answers;
  if (typeof answer !== 'object' || answer === null || !('result' in answer)) throw new Error('no record');
  return String(answer.result);
}

/** HKDF-SHA-256 and AES-256-GCM of `node:crypto`, on this thread. docs/threat-model.md describes the format. */
export function openKey(sub: string, record: string): string {
  const { jwe }: { jwe: string } = JSON.parse(record);
  const [header = '', , iv = '', ciphertext = '', tag = ''] = jwe.split('.');
  const info = Buffer.concat(
    ['userkeys/record/2', tenant, sub, 'openai'].map((part) => {
      const bytes = Buffer.from(part);
      return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
    }),
  );
  const contentKey = new Uint8Array(hkdfSync('sha256', masterKey, '', info, 32));
  const decipher = createDecipheriv('aes-256-gcm', contentKey, Buffer.from(iv, 'base64url'));
  decipher.setAAD(Buffer.from(header)).setAuthTag(Buffer.from(tag, 'base64url'));
  return decipher.update(ciphertext, 'base64url', 'utf8') + decipher.final('utf8');
}

type Forwarded = {
  readonly path: string;
  readonly type: string;
  readonly body: Readable | string;
  readonly key: string;
};

export function forward({ path, type, body, key }: Forwarded) {
  return request(env('OPENAI_BASE_URL') + path, {
    dispatcher: toProvider,
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': type, 'accept-encoding': 'identity' },
    body,
  });
}

/** One entry of a log and one counter. */
export async function deferWrite(sub: string, status: number): Promise<void> {
  const owner = `uk:{${tenant}:${sub}}`;
  await runPipeline([
    ['XADD', `${owner}:by-hand`, 'MAXLEN', 5_000, '*', 'time', new Date().toISOString(), 'status', status],
    ['HINCRBY', `${owner}:by-hand-usage`, 'calls', 1],
  ]);
}
