/** node:crypto and jose seal and open the same bytes. jose, with WebCrypto, is the reference. */
import { inspect } from 'node:util';
import fc from 'fast-check';
import { compactDecrypt } from 'jose';
import { expect, test } from 'vitest';
import { Problem } from '../../lib/errors.ts';
import { Secret } from '../../lib/secret.ts';
import type { ImportMasterKey } from '../../lib/vault/cipher.ts';
import { openKey, sealKey } from '../../lib/vault/envelope.ts';
import { type Binding, loadKeyRing } from '../../lib/vault/key-ring.ts';
import * as node from '../../lib/vault/node-cipher.ts';
import * as web from '../../lib/vault/web-cipher.ts';
import { userId } from '../support/user-ids.ts';

const masterKey = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .filter((bytes) => bytes.some((byte) => byte > 0));
const subject = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 255 });
const binding = fc.record({ user: subject.map((sub) => userId(sub)), provider: fc.string({ minLength: 1 }) });
/** Lone surrogates have no UTF-8. */
const key = fc.string({ unit: 'binary', maxLength: 300 });

const ringOf = (bytes: Uint8Array, importMasterKey: ImportMasterKey) =>
  loadKeyRing(
    { vaultKeys: new Secret(`k1:${Buffer.from(bytes).toString('base64url')}`), wrappedKeys: undefined },
    undefined,
    importMasterKey,
  );

/** The key, or why it does not open. */
async function opened(ring: Awaited<ReturnType<typeof ringOf>>, owner: Binding, envelope: string) {
  try {
    return { key: (await openKey(ring, owner, envelope)).reveal() };
  } catch (error) {
    expect(error).toBeInstanceOf(Problem);
    expect(inspect(error, { depth: 9 })).not.toMatch(/\bcause\b/);
    return error instanceof Problem ? { code: error.code, reason: error.reason } : error;
  }
}

test('each opens what the other sealed, for its owner only', async () => {
  await fc.assert(
    fc.asyncProperty(masterKey, binding, binding, key, async (bytes, owner, other, text) => {
      const [byNode, byJose] = await Promise.all([
        ringOf(bytes, node.importMasterKey),
        ringOf(bytes, web.importMasterKey),
      ]);
      for (const [sealing, opening] of [
        [byNode, byJose],
        [byJose, byNode],
        [byNode, byNode],
      ] as const) {
        const envelope = await sealKey(sealing, owner, new Secret(text));
        expect(await opened(opening, owner, envelope)).toEqual({ key: text });
        if (other.user === owner.user && other.provider === owner.provider) continue;
        expect(await opened(opening, other, envelope)).toEqual({
          code: 'key_unreadable',
          reason: 'envelope_not_authentic',
        });
      }
    }),
    { numRuns: 60 },
  );
});

/** One change to the text of an envelope. */
const damage = fc.oneof(
  fc.tuple(fc.nat(), fc.constantFrom(...'AQgw-_.= \n+/é')).map(([at, character]) => (text: string) => {
    const index = at % text.length;
    return text.slice(0, index) + character + text.slice(index + 1);
  }),
  fc
    .tuple(fc.nat(), fc.constantFrom(...'AQgw-_.= \n+/é', '==', 'AAAA'))
    .map(([at, added]) => (text: string) => {
      const index = at % (text.length + 1);
      return text.slice(0, index) + added + text.slice(index);
    }),
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 8 })).map(([at, length]) => (text: string) => {
    const index = at % text.length;
    return text.slice(0, index) + text.slice(index + length);
  }),
  // The border between two parts moves, which leaves their concatenation as it is.
  fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -4, max: 4 }))
    .map(([part, by]) => (text: string) => {
      const parts = text.split('.');
      const [left = '', right = ''] = parts.slice(part, part + 2);
      const border = Math.max(0, Math.min(left.length + by, left.length + right.length));
      const joined = left + right;
      return parts
        .with(part, joined.slice(0, border))
        .with(part + 1, joined.slice(border))
        .join('.');
    }),
);

test('both refuse a damaged envelope, for the same reason', async () => {
  await fc.assert(
    fc.asyncProperty(masterKey, binding, key, damage, async (bytes, owner, text, change) => {
      const [byNode, byJose] = await Promise.all([
        ringOf(bytes, node.importMasterKey),
        ringOf(bytes, web.importMasterKey),
      ]);
      const envelope = await sealKey(byNode, owner, new Secret(text));
      const damaged = change(envelope);
      const result = await opened(byNode, owner, damaged);
      expect(await opened(byJose, owner, damaged)).toEqual(result);
      if (damaged !== envelope && !isSameBytes(damaged, envelope)) {
        expect(result).toMatchObject({ code: 'key_unreadable' });
      }
    }),
    { numRuns: 300 },
  );
});

/** The last character of a part can have bits that no byte contains. Two spellings of the same bytes both open. */
function isSameBytes(one: string, other: string): boolean {
  const bytesOf = (text: string) =>
    text
      .split('.')
      .slice(1)
      .map((part) => Buffer.from(part, 'base64url').toString('hex'));
  const [[header], [otherHeader]] = [one.split('.'), other.split('.')];
  return header === otherHeader && bytesOf(one).join() === bytesOf(other).join();
}

test('the same content key: jose opens what node:crypto sealed with the key that WebCrypto derives', async () => {
  const bytes = new Uint8Array(32).fill(7);
  const owner = { user: userId('alice'), provider: 'openai' };
  const envelope = await sealKey(await ringOf(bytes, node.importMasterKey), owner, new Secret('a key'));
  const master = await crypto.subtle.importKey('raw', bytes, 'HKDF', false, ['deriveBits']);
  const parts = ['userkeys/record/2', 'test', 'alice', 'openai'].map((part) => Buffer.from(part));
  const info = Buffer.concat(
    parts.flatMap((part) => [Buffer.from([part.length >> 8, part.length & 0xff]), part]),
  );
  const contentKey = await crypto.subtle.deriveBits(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: new Uint8Array(info) },
    master,
    256,
  );
  const { plaintext, protectedHeader } = await compactDecrypt(envelope, new Uint8Array(contentKey));
  expect(new TextDecoder().decode(plaintext)).toBe('a key');
  expect(protectedHeader).toEqual({ alg: 'dir', enc: 'A256GCM', kid: 'k1' });
});

test('no key is printed with a ring or a cipher', async () => {
  const bytes = new Uint8Array(32).fill(7);
  for (const { importMasterKey } of [node, web]) {
    const ring = await ringOf(bytes, importMasterKey);
    const cipher = await ring.cipherFor('k1', { user: userId('alice'), provider: 'openai' });
    const printed = inspect([ring, cipher, await importMasterKey(bytes)], { depth: 9, showHidden: true });
    expect(printed).not.toMatch(/07 07 07|7,\s*7|BwcH/);
  }
});
