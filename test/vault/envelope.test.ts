import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { decodeProtectedHeader } from 'jose';
import { describe, expect, test } from 'vitest';
import { toUserId } from '../../lib/identity/user-id.ts';
import { Secret } from '../../lib/secret.ts';
import { openKey, openLegacyKey, sealKey } from '../../lib/vault/envelope.ts';
import { loadKeyRing } from '../../lib/vault/key-ring.ts';
import * as node from '../../lib/vault/node-cipher.ts';
import * as web from '../../lib/vault/web-cipher.ts';
import { newMasterKey, newProviderKey } from '../support/start-world.ts';
import { userId } from '../support/user-ids.ts';

/** Sealed once with the master key 00 01 … 1f. Never generate them again: they prove that old envelopes still open. */
const GOLDEN_1 =
  'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZ29sZGVuIn0..5KWbvuybeEUyfEu-.rk1msAW7Xjr9BjVBOv3OVA.Rgdr--fZfXv4ZJRKBw1orA';
const GOLDEN_2 = {
  user_golden:
    'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZ29sZGVuIn0..wtWAMus8_7trLJPj.d7hdvVhWVTTPNgnICjIJJw.vh4sWPWTEY8pww0Lt9KY-Q',
  'auth0|golden {x}:%*':
    'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZ29sZGVuIn0..PcnfG7Rm3EgbYXMW.qyFVlggoEmNh4K0UYpQPvA.ssqVWN89vt579wDI63_5TQ',
};
const unreadable = { code: 'key_unreadable', status: 403 };

const implementations = [
  ['node:crypto', node.importMasterKey],
  ['WebCrypto', web.importMasterKey],
] as const;

describe.each(implementations)('with %s', async (_name, importMasterKey) => {
  const ringOf = (vaultKeys: string) =>
    loadKeyRing({ vaultKeys: new Secret(vaultKeys), wrappedKeys: undefined }, undefined, importMasterKey);
  const master = newMasterKey('k1');
  const ring = await ringOf(master);
  const alice = { user: userId('alice'), provider: 'openai' } as const;
  const key = new Secret(newProviderKey());
  const sealed = await sealKey(ring, alice, key);

  test('an envelope opens for its owner and provider, and sealing twice gives different envelopes', async () => {
    expect((await openKey(ring, alice, sealed)).reveal()).toBe(key.reveal());
    expect(await sealKey(ring, alice, key)).not.toBe(sealed);
    expect(decodeProtectedHeader(sealed)).toEqual({ alg: 'dir', enc: 'A256GCM', kid: 'k1' });
  });

  describe('openKey rejects an envelope', () => {
    test.each([
      ['moved to another user', { ...alice, user: userId('bob') }],
      ['moved to the same user of another tenant', { ...alice, user: toUserId('other', 'alice') }],
      ['moved to another provider', { ...alice, provider: 'exa' }],
      ['whose tenant and user have the same concatenation', { ...alice, user: toUserId('testa', 'lice') }],
      ['whose user and provider have the same concatenation', { user: userId('aliceo'), provider: 'exa' }],
    ] as const)('%s', async (_what, binding) => {
      await expect(openKey(ring, binding, sealed)).rejects.toMatchObject(unreadable);
    });

    test('with any single character changed', async () => {
      for (let index = 0; index < sealed.length; index += 1) {
        const other = sealed[index] === 'A' ? 'Q' : 'A';
        const damaged = sealed.slice(0, index) + other + sealed.slice(index + 1);
        await expect(openKey(ring, alice, damaged)).rejects.toMatchObject(unreadable);
      }
    });

    test('that is truncated, too long or malformed', async () => {
      for (const text of [
        '',
        '.',
        '....',
        'a.b.c.d.e',
        sealed.slice(0, -1),
        sealed.repeat(20),
        `${sealed}.`,
        '{}',
      ]) {
        await expect(openKey(ring, alice, text)).rejects.toMatchObject(unreadable);
      }
    });

    test('under a master key that is not on the ring, or a different key with the same kid', async () => {
      for (const keys of [newMasterKey('k2'), newMasterKey('k1')]) {
        const other = await ringOf(keys);
        await expect(openKey(other, alice, sealed)).rejects.toMatchObject(unreadable);
      }
    });

    test.each([
      ['zip', { zip: 'DEF' }],
      ['another member', { typ: 'x' }],
      ['another content encryption', { enc: 'A128GCM' }],
      ['another algorithm', { alg: 'A256KW' }],
      ['a kid that is a number', { kid: 1 }],
      ['the kid __proto__', { kid: '__proto__' }],
    ])('whose header has %s', async (_what, change) => {
      const header = JSON.stringify({ alg: 'dir', enc: 'A256GCM', kid: 'k1', ...change });
      const forged = [Buffer.from(header).toString('base64url'), ...sealed.split('.').slice(1)].join('.');
      await expect(openKey(ring, alice, forged)).rejects.toMatchObject(unreadable);
    });

    test('with a valid tag but an extra header member', async () => {
      const cipher = await ring.cipherFor('k1', alice);
      if (cipher === undefined) throw new Error('no cipher');
      const header = { alg: 'dir', enc: 'A256GCM', kid: 'k1', typ: 'x' } as const;
      const forged = await cipher.seal(header, new TextEncoder().encode('x'));
      await expect(openKey(ring, alice, forged)).rejects.toMatchObject(unreadable);
    });

    test('with the same error for every reason and without a cause', async () => {
      const errors = await Promise.all(
        [sealed.slice(0, -2), 'x', await sealKey(ring, { ...alice, provider: 'exa' }, key)].map((text) =>
          openKey(ring, alice, text).catch((error: unknown) => error),
        ),
      );
      expect(new Set(errors.map((error) => JSON.stringify(error))).size).toBe(1);
      for (const error of errors)
        expect(inspect(error, { depth: 9 })).not.toMatch(/cause|JWE|decryption|decrypt(?!ed)/);
    });
  });

  test('every master key on the ring opens envelopes, and the first one seals', async () => {
    const rotated = await ringOf(`${newMasterKey('k2')},${master}`);
    expect((await openKey(rotated, alice, sealed)).reveal()).toBe(key.reveal());
    expect(decodeProtectedHeader(await sealKey(rotated, alice, key)).kid).toBe('k2');
  });

  const goldenRing = ringOf(
    `golden:${Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('base64url')}`,
  );

  test.each(Object.entries(GOLDEN_2))('an envelope of version 2 still opens: %s', async (sub, envelope) => {
    const binding = { user: toUserId('tenant-1', sub), provider: 'gemini' } as const;
    expect((await openKey(await goldenRing, binding, envelope)).reveal()).toBe('golden plaintext');
  });

  test('an envelope of version 1 still opens for the migration, and for no request', async () => {
    const fixed = await goldenRing;
    const binding = { sub: 'user_golden', provider: 'gemini' } as const;
    expect((await openLegacyKey(fixed, binding, GOLDEN_1)).reveal()).toBe('golden plaintext');
    const moved = { sub: 'user_golden2', provider: 'gemini' } as const;
    await expect(openLegacyKey(fixed, moved, GOLDEN_1)).rejects.toMatchObject(unreadable);
    for (const tenant of ['test', 'user_golden']) {
      const request = { user: toUserId(tenant, 'user_golden'), provider: 'gemini' } as const;
      await expect(openKey(fixed, request, GOLDEN_1)).rejects.toMatchObject(unreadable);
    }
    const now = await sealKey(fixed, { user: userId('user_golden'), provider: 'gemini' }, key);
    await expect(openLegacyKey(fixed, binding, now)).rejects.toMatchObject(unreadable);
  });

  test('rejects master keys that are not 32 bytes, are all zero or share a kid; messages contain no key', async () => {
    const bytes = randomBytes(32).toString('base64url');
    for (const text of [
      '',
      'k1',
      `k1:${randomBytes(31).toString('base64url')}`,
      `k1:${randomBytes(33).toString('base64url')}`,
      `k1:${Buffer.alloc(32).toString('base64url')}`,
      `k1:${bytes},k1:${bytes}`,
      `k 1:${bytes}`,
      `k1:${bytes},`,
      `k1:${bytes}=`,
    ]) {
      const attempt = ringOf(text);
      await expect(attempt).rejects.toThrow(/^(is empty|entry \d+|names the same kid twice)/);
      await expect(attempt).rejects.not.toThrow(bytes);
    }
  });
});

test('a secret is never printed', () => {
  const value = newProviderKey();
  const secret = new Secret(value);
  const printed = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect({ secret }, { showHidden: true }),
    JSON.stringify({ ...secret }),
  ];
  for (const text of printed) expect(text).not.toContain(value);
  expect(() => structuredClone({ secret: { ...secret } })).not.toThrow();
  expect(secret.reveal()).toBe(value);
});
