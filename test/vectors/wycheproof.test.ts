/**
 * The published vectors of Project Wycheproof (see README.md) against the two places where this project reads JOSE:
 * the verification of session tokens, and the envelope of stored keys in both of its implementations.
 */
import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Problem } from '../../lib/errors.ts';
import { createIssuerKeys } from '../../lib/identity/issuer-keys.ts';
import { createTokenVerifier } from '../../lib/identity/verify-token.ts';
import { bodyOf } from '../../lib/outgoing/body.ts';
import { Secret } from '../../lib/secret.ts';
import { openKey, sealKey } from '../../lib/vault/envelope.ts';
import type { KeyRing } from '../../lib/vault/key-ring.ts';
import { nodeCipher } from '../../lib/vault/node-cipher.ts';
import { webCipher } from '../../lib/vault/web-cipher.ts';
import { TEST_TENANT } from '../support/start-world.ts';
import { userId } from '../support/user-ids.ts';

const FILES = [
  'json_web_crypto_test',
  'json_web_encryption_test',
  'json_web_key_test',
  'json_web_signature_test',
] as const;

/**
 * Every vector whose result here differs from the file, and why. A vector that does not differ must not be listed.
 * `tcIds`: single ids and ranges.
 */
const DIFFERENCES: readonly {
  readonly file: (typeof FILES)[number];
  readonly tcIds: string;
  readonly why: string;
}[] = [
  {
    file: 'json_web_crypto_test',
    tcIds: '1, 48',
    why: 'HS256: a secret that the issuer shares with every app verifies nothing, so HMAC is not on the allow-list.',
  },
  {
    file: 'json_web_crypto_test',
    tcIds: '46',
    why: 'The key has the ROCA weakness of a smart card. Which keys an issuer makes is for the issuer to check.',
  },
  {
    file: 'json_web_crypto_test',
    tcIds: '50, 67',
    why: 'A256KW and ECDH-ES+A128KW: an envelope of ours has no encrypted key, only `dir` with A256GCM.',
  },
  {
    file: 'json_web_encryption_test',
    tcIds: '1, 23, 28-35, 52-62, 66-93, 100-105, 112, 121, 128-131, 133-135',
    why: 'Another way to agree on the content key. An envelope of ours is `dir` with A256GCM and nothing else.',
  },
  {
    file: 'json_web_encryption_test',
    tcIds: '132',
    why: '`dir` with A128GCM: envelopes are sealed with A256GCM only.',
  },
  { file: 'json_web_key_test', tcIds: '2, 13-15', why: 'HMAC, as above.' },
  { file: 'json_web_key_test', tcIds: '7', why: 'The ROCA weakness, as above.' },
  {
    file: 'json_web_signature_test',
    tcIds: '1, 348, 352, 357-359, 372-373, 376-377',
    why: 'HMAC, as above.',
  },
  {
    file: 'json_web_signature_test',
    tcIds: '346, 350',
    why: 'The key says PS256 and the signature is PS384. A key is used for the algorithm that it names.',
  },
  {
    file: 'json_web_signature_test',
    tcIds: '347, 351',
    why: 'The key says ES521, which is no algorithm. A key is used for the algorithm that it names.',
  },
];

const vectorFile = z.object({
  numberOfTests: z.int(),
  testGroups: z.array(
    z.object({
      public: z.looseObject({}).optional(),
      private: z.looseObject({}),
      tests: z.array(
        z.object({
          tcId: z.int(),
          comment: z.string(),
          result: z.enum(['valid', 'invalid']),
          jws: z.unknown().optional(),
          jwe: z.unknown().optional(),
          pt: z.string().optional(),
        }),
      ),
    }),
  ),
});
type Group = z.infer<typeof vectorFile>['testGroups'][number];
type Vector = Group['tests'][number];

function readVectors(file: string) {
  return vectorFile.parse(JSON.parse(readFileSync(join(import.meta.dirname, `${file}.json`), 'utf8')));
}

/** A vector in JSON serialization is passed on as its text, as a caller would send it. */
const textOf = (token: unknown) => (typeof token === 'string' ? token : JSON.stringify(token));

/** Whether session tokens are verified with this signature: the keys come from a JWKS, as the issuer publishes it. */
function signatureReader(group: Group) {
  const published = group.public ?? group.private;
  const body = JSON.stringify('keys' in published ? published : { keys: [published] });
  const findKey = createIssuerKeys(
    { jwksUrl: 'https://issuer.example/jwks.json', refusedKids: [] },
    async () => ({
      status: 200,
      headers: new Headers(),
      body: bodyOf(new Blob([body]).stream()),
    }),
  );
  const expected = {
    issuer: 'https://issuer.example',
    tenant: TEST_TENANT,
    audience: [],
    authorizedParties: [],
    refusedKids: [],
    maxTokenSeconds: 86_400,
  };
  const verify = createTokenVerifier(expected, findKey);
  return async ({ jws }: Vector): Promise<boolean> => {
    const refusal = await verify(new Secret(textOf(jws)), new Date()).catch((error: unknown) => error);
    if (!(refusal instanceof Problem)) throw new Error('The payload of a vector is no set of claims.');
    // The signature has been verified by then. A payload such as "foo" is refused afterwards.
    return refusal.reason === 'token_payload_malformed';
  };
}

const OWNER = { user: userId('alice'), provider: 'openai' } as const;

/** The cipher of each implementation for these bytes as its content key. */
const CIPHERS = {
  'node:crypto': async (bytes: Buffer) => nodeCipher(createSecretKey(bytes)),
  WebCrypto: async (bytes: Buffer) =>
    webCipher(
      await crypto.subtle.importKey('raw', new Uint8Array(bytes), 'AES-GCM', false, ['encrypt', 'decrypt']),
    ),
};
type CipherOf = (typeof CIPHERS)[keyof typeof CIPHERS];

/** A ring whose content key is the key of the vectors, for every `kid`. None when it is no key of A256GCM. */
async function ringOf(cipherOf: CipherOf, bytes: Buffer, kid: string): Promise<KeyRing> {
  const cipher = bytes.length === 32 ? await cipherOf(bytes) : undefined;
  return { currentKid: kid, kids: new Set([kid]), cipherFor: async () => cipher };
}

function symmetricKey({ private: key }: Group): { readonly bytes: Buffer; readonly kid: string } {
  const { k, kid } = z.looseObject({ k: z.string().optional(), kid: z.string().optional() }).parse(key);
  return { bytes: Buffer.from(k ?? '', 'base64url'), kid: kid ?? 'kid' };
}

function envelopeReader(cipherOf: CipherOf, group: Group) {
  const { bytes, kid } = symmetricKey(group);
  return async ({ jwe, pt }: Vector): Promise<boolean> => {
    const opened = await openKey(await ringOf(cipherOf, bytes, kid), OWNER, textOf(jwe)).catch(
      () => undefined,
    );
    if (opened !== undefined) expect(Buffer.from(opened.reveal()).toString('hex')).toBe(pt);
    return opened !== undefined;
  };
}

function isListed(file: string, tcId: number): boolean {
  return DIFFERENCES.some(
    (difference) =>
      difference.file === file &&
      difference.tcIds.split(', ').some((range) => {
        const [first = Number.NaN, last = first] = range.split('-').map(Number);
        return first <= tcId && tcId <= last;
      }),
  );
}

const implementations = Object.entries(CIPHERS);
const filesByCipher = FILES.flatMap((file) =>
  implementations.map(([name, cipher]) => ({ file, name, cipher })),
);

describe.each(filesByCipher)('$file, envelopes with $name', ({ file, cipher }) => {
  test('every valid vector is accepted and every invalid one refused, but for the listed differences', async () => {
    const { numberOfTests, testGroups } = readVectors(file);
    const wrong: string[] = [];
    let run = 0;
    let differing = 0;
    for (const group of testGroups) {
      const acceptsSignature = signatureReader(group);
      const opensEnvelope = envelopeReader(cipher, group);
      for (const vector of group.tests) {
        const isAccepted = await (vector.jws === undefined ? opensEnvelope : acceptsSignature)(vector);
        const differs = isAccepted !== (vector.result === 'valid');
        run += 1;
        differing += differs ? 1 : 0;
        if (differs !== isListed(file, vector.tcId)) {
          wrong.push(
            `${vector.tcId} ${vector.comment}: ${vector.result}, ${isAccepted ? 'accepted' : 'refused'}`,
          );
        }
      }
    }
    process.stdout.write(`${file}: ${run} vectors run, ${differing} differ\n`);
    expect(run).toBe(numberOfTests);
    expect(wrong).toEqual([]);
  });
});

describe.each(implementations)('envelopes with %s and jose', (_name, cipherOf) => {
  const encryption = readVectors('json_web_encryption_test');
  const keys = FILES.flatMap((file) => readVectors(file).testGroups)
    .map(symmetricKey)
    .filter(({ bytes }) => bytes.length === 32);
  const texts = encryption.testGroups
    .flatMap(({ tests }) => tests)
    .flatMap(({ pt }) => (pt ? [Buffer.from(pt, 'hex').toString()] : []));

  test('read each other, with every key and text of the vectors that fits', async () => {
    expect(keys.length).toBeGreaterThan(5);
    for (const { bytes, kid } of keys) {
      const ring = await ringOf(cipherOf, bytes, kid);
      for (const text of new Set(texts)) {
        const sealed = await sealKey(ring, OWNER, new Secret(text));
        expect(new TextDecoder().decode((await compactDecrypt(sealed, bytes)).plaintext)).toBe(text);
        const byJose = await new CompactEncrypt(Buffer.from(text))
          .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
          .encrypt(bytes);
        expect((await openKey(ring, OWNER, byJose)).reveal()).toBe(text);
      }
    }
  });

  test('an envelope does not open after any change that the invalid vectors make to a valid one', async () => {
    const [group] = encryption.testGroups;
    const [key] = keys;
    if (group === undefined || key === undefined) throw new Error('The file has no such group.');
    const [valid, ...others] = group.tests.map(({ jwe }) => textOf(jwe).split('.'));
    const ring = await ringOf(cipherOf, key.bytes, key.kid);
    const sealed = (await sealKey(ring, OWNER, new Secret('some text'))).split('.');
    const changed = others
      .filter((parts, index) => group.tests[index + 1]?.result === 'invalid' && parts.length > 1)
      .map((parts) => applyChange(sealed, valid ?? [], parts).join('.'))
      // An envelope has no encrypted key that could be taken away.
      .filter((text) => text !== sealed.join('.'));
    expect(changed.length).toBeGreaterThan(15);
    for (const text of changed) {
      await expect(openKey(ring, OWNER, text), text).rejects.toMatchObject({ code: 'key_unreadable' });
    }
  });
});

/** Makes the change to `target` that leads from `before` to `after`, part by part. */
function applyChange(target: readonly string[], before: readonly string[], after: readonly string[]) {
  if (after.length < before.length) {
    const missing = before.findIndex((part, index) => part !== after[index]);
    return target.filter((_, index) => index !== missing);
  }
  return target.map((part, index) => {
    const [from = '', to = ''] = [before[index], after[index]];
    if (from === to) return part;
    if (part === '' || to === '') return to;
    if (to.length < from.length) return part.slice(0, to.length - from.length);
    if (to.length > from.length) return part + to.slice(from.length);
    return changeBytes(part, from, to);
  });
}

function changeBytes(part: string, from: string, to: string): string {
  const [bytes, was, is] = [part, from, to].map((text) => Buffer.from(text, 'base64url'));
  if (bytes === undefined || was === undefined || is === undefined) throw new Error('no bytes');
  for (const [position, byte] of is.entries()) {
    const at = Math.min(position, bytes.length - 1);
    bytes[at] = (bytes[at] ?? 0) ^ byte ^ (was[position] ?? 0);
  }
  return bytes.toString('base64url');
}
