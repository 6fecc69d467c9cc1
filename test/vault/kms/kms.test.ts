import { randomBytes } from 'node:crypto';
import { EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadVaultConfig } from '../../../lib/config.ts';
import { ConfigError, Problem } from '../../../lib/errors.ts';
import { Secret } from '../../../lib/secret.ts';
import { kidOf, openKey, sealKey } from '../../../lib/vault/envelope.ts';
import { loadKeyRing } from '../../../lib/vault/key-ring.ts';
import { unwrapWithKms } from '../../../lib/vault/kms.ts';
import { call } from '../../support/call.ts';
import { newMasterKey, newProviderKey, startWorld } from '../../support/start-world.ts';
import { userId } from '../../support/user-ids.ts';
import { type KmsDouble, ROLE_ACCESS_KEY_ID, startKmsDouble } from './kms-double.ts';
import { motoInstalled, startMoto } from './moto.ts';

const BINDING = { user: userId('alice'), provider: 'openai' } as const;
const STORE = { AUTH_TENANT: 'test', KV_REST_API_URL: 'http://127.0.0.1:9', KV_REST_API_TOKEN: 'unused' };

type Kms = { readonly url: string; readonly keyArn: string; close(): Promise<void> };

/** The variables that the AWS SDK reads, restored afterwards. */
function useKms(url: string): () => void {
  const names = [
    'AWS_ENDPOINT_URL_KMS',
    'AWS_ENDPOINT_URL_STS',
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
  ];
  const former = names.map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_KMS: url,
    AWS_ENDPOINT_URL_STS: url,
    AWS_ACCESS_KEY_ID: 'AKIATEST000000000000',
    AWS_SECRET_ACCESS_KEY: randomBytes(20).toString('hex'),
  });
  return () => {
    for (const [name, value] of former) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}

/** One entry of `VAULT_KEYS_KMS`, wrapped with the official client as docs/rotation.md describes. */
async function wrap({ keyArn }: Kms, kid: string, bytes: Uint8Array = randomBytes(32)): Promise<string> {
  const client = new KMSClient({ region: 'eu-central-1' });
  const { CiphertextBlob = new Uint8Array() } = await client.send(
    new EncryptCommand({
      KeyId: keyArn,
      Plaintext: bytes,
      EncryptionContext: { application: 'userkeys', kid },
    }),
  );
  client.destroy();
  return `${kid}:${Buffer.from(CiphertextBlob).toString('base64')}`;
}
const open = (env: Readonly<Record<string, string>>) =>
  loadKeyRing(loadVaultConfig({ ...STORE, ...env }), unwrapWithKms);

const emulators: readonly (readonly [string, () => Promise<Kms>])[] = [
  ['a stand-in for KMS', startKmsDouble],
  ...(motoInstalled() ? [['moto', startMoto] as const] : []),
];

describe.each(emulators)('with %s', (_name, start) => {
  let kms: Kms;
  let restore = () => {};
  beforeAll(async () => {
    kms = await start();
    restore = useKms(kms.url);
  });
  afterAll(async () => {
    restore();
    await kms.close();
  });

  test('wrapped keys come first and seal; keys of VAULT_KEYS still open', async () => {
    const plain = newMasterKey('plain');
    const former = await open({ VAULT_KEYS: plain });
    const sealed = await sealKey(former, BINDING, new Secret('kept'));
    const wrapped = `${await wrap(kms, 'w2')},${await wrap(kms, 'w1')}`;
    const ring = await open({ VAULT_KEYS: plain, VAULT_KEYS_KMS: wrapped, VAULT_KMS_KEY: kms.keyArn });
    expect([...ring.kids]).toEqual(['w2', 'w1', 'plain']);
    expect((await openKey(ring, BINDING, sealed)).reveal()).toBe('kept');
    const anew = await sealKey(ring, BINDING, new Secret('new'));
    expect(kidOf(anew)).toBe('w2');
    const alone = await open({ VAULT_KEYS_KMS: wrapped, VAULT_KMS_KEY: kms.keyArn });
    expect((await openKey(alone, BINDING, anew)).reveal()).toBe('new');
  });

  test.each<[string, (wrapped: string) => string, RegExp]>([
    ['wrapped for another kid', (wrapped) => wrapped.replace('w1:', 'w9:'), /entry 1 was not wrapped/],
    [
      'damaged',
      (wrapped) => `${wrapped.slice(0, -8)}${wrapped.slice(-8) === 'AAAAAAAA' ? 'BBBBBBBB' : 'AAAAAAAA'}`,
      /entry 1 was not wrapped/,
    ],
  ])(
    'a key that is %s is refused, naming the variable and nothing of the key',
    async (_what, change, text) => {
      const wrapped = change(await wrap(kms, 'w1'));
      const attempt = open({ VAULT_KEYS_KMS: wrapped, VAULT_KMS_KEY: kms.keyArn });
      await expect(attempt).rejects.toThrow(ConfigError);
      await expect(attempt).rejects.toThrow(/^VAULT_KEYS_KMS: /);
      await expect(attempt).rejects.toThrow(text);
      await expect(attempt).rejects.not.toThrow(wrapped.slice(4, 40));
    },
  );

  test.each([
    ['31 bytes', new Uint8Array(randomBytes(31)), /exactly 32 bytes/],
    ['all zero', new Uint8Array(32), /all zero/],
  ])('rejects a wrapped key of %s', async (_what, bytes, text) => {
    const wrapped = await wrap(kms, 'w1', bytes);
    await expect(open({ VAULT_KEYS_KMS: wrapped, VAULT_KMS_KEY: kms.keyArn })).rejects.toThrow(text);
  });

  test('rejects a kid that is in both variables', async () => {
    const wrapped = await wrap(kms, 'same');
    const attempt = open({
      VAULT_KEYS: newMasterKey('same'),
      VAULT_KEYS_KMS: wrapped,
      VAULT_KMS_KEY: kms.keyArn,
    });
    await expect(attempt).rejects.toThrow('VAULT_KEYS_KMS: names a kid that VAULT_KEYS names too');
  });
});

describe('with a KMS test double', () => {
  let kms: KmsDouble;
  let restore = () => {};
  beforeAll(async () => {
    kms = await startKmsDouble();
    restore = useKms(kms.url);
  });
  beforeEach(() => kms.failWith(undefined));
  afterAll(async () => {
    restore();
    await kms.close();
  });

  test.each([
    ['AccessDeniedException', /may not be opened/],
    ['DisabledException', /disabled/],
    ['UnrecognizedClientException', /does not know the credentials/],
  ])('%s is reported as a wrong setting', async (type, text) => {
    const wrapped = await wrap(kms, 'w1');
    kms.failWith({ status: 400, type });
    const attempt = open({ VAULT_KEYS_KMS: wrapped, VAULT_KMS_KEY: kms.keyArn });
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toThrow(text);
  });

  test.each([
    [500, 'KMSInternalException'],
    [503, 'DependencyTimeoutException'],
    [400, 'ThrottlingException'],
  ])('%i %s is tried three times, then reported as an outage', async (status, type) => {
    const wrapped = await wrap(kms, 'w1');
    kms.failWith({ status, type });
    kms.asked.length = 0;
    const attempt = open({ VAULT_KEYS_KMS: wrapped, VAULT_KMS_KEY: kms.keyArn });
    await expect(attempt).rejects.toThrow(Problem);
    await expect(attempt).rejects.toMatchObject({ code: 'vault_unavailable', status: 503 });
    expect(kms.asked).toHaveLength(3);
  });

  test('with AWS_ROLE_ARN the deployment’s identity token is exchanged for the role', async () => {
    const wrapped = await wrap(kms, 'w1');
    kms.asked.length = 0;
    const claims = { sub: 'owner:team:project:p', exp: Math.floor(Date.now() / 1000) + 3_600 };
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
    process.env.VERCEL_OIDC_TOKEN = `e30.${payload}.sig`;
    const AWS_ROLE_ARN = 'arn:aws:iam::123456789012:role/userkeys';
    await open({ VAULT_KEYS_KMS: wrapped, VAULT_KMS_KEY: kms.keyArn, AWS_ROLE_ARN });
    delete process.env.VERCEL_OIDC_TOKEN;
    expect(kms.asked.map(({ operation }) => operation)).toEqual(['AssumeRoleWithWebIdentity', 'Decrypt']);
    expect(kms.asked.at(-1)?.accessKeyId).toBe(ROLE_ACCESS_KEY_ID);
  });

  test('the functions call KMS once for each key, and answer 503 while KMS does not respond', async () => {
    const wrapped = `${await wrap(kms, 'w2')},${await wrap(kms, 'w1')}`;
    const env = { VAULT_KEYS: '', VAULT_KEYS_KMS: wrapped, VAULT_KMS_KEY: kms.keyArn };
    const world = await startWorld({ env });
    try {
      const key = await import('../../../api/userkeys.ts');
      const token = await world.tokenFor('alice');
      const save = () =>
        call(key, '/api/keys/openai', { method: 'PUT', token, json: { key: newProviderKey() } });
      kms.failWith({ status: 500, type: 'KMSInternalException' });
      const refused = await save();
      expect(refused.status).toBe(503);
      expect(await refused.json()).toMatchObject({ code: 'vault_unavailable' });
      expect(refused.headers.get('retry-after')).toBe('2');
      kms.failWith(undefined);
      kms.asked.length = 0;
      expect((await Promise.all([save(), save(), save()])).map(({ status }) => status).sort()).toEqual([
        200, 200, 201,
      ]);
      expect((await save()).status).toBe(200);
      expect(kms.asked.map(({ operation }) => operation)).toEqual(['Decrypt', 'Decrypt']);
    } finally {
      await world.close();
    }
  });
});

test.each<[Readonly<Record<string, string>>, RegExp]>([
  [{}, /^VAULT_KEYS: is missing$/],
  [{ VAULT_KEYS_KMS: 'nonsense' }, /VAULT_KEYS_KMS: entry 1 must be .*VAULT_KMS_KEY: is missing/],
  [{ VAULT_KEYS_KMS: `k1:${'A'.repeat(60)}` }, /^VAULT_KMS_KEY: is missing/],
  [{ VAULT_KEYS_KMS: `k1:${'A'.repeat(60)}`, VAULT_KMS_KEY: 'alias/x' }, /^VAULT_KMS_KEY: must be the ARN/],
  [
    { VAULT_KEYS_KMS: `k1:${'A'.repeat(60)},k1:${'B'.repeat(60)}` },
    /VAULT_KEYS_KMS: names the same kid twice/,
  ],
])('rejects settings %j and names the variable', (env, text) => {
  expect(() => loadVaultConfig({ ...STORE, ...env })).toThrow(text);
});

test('a runtime that cannot open wrapped keys throws a clear error', async () => {
  const arn = 'arn:aws:kms:eu-central-1:123456789012:key/a';
  const config = loadVaultConfig({ ...STORE, VAULT_KEYS_KMS: `k1:${'A'.repeat(60)}`, VAULT_KMS_KEY: arn });
  await expect(loadKeyRing(config, undefined)).rejects.toThrow(
    /VAULT_KEYS_KMS: cannot be opened on this runtime/,
  );
});
