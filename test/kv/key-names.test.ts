import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  isSubject,
  isTenant,
  isUserId,
  splitUserId,
  tenantOf,
  toUserId,
} from '../../lib/identity/user-id.ts';
import { ownerKey, ownerKeyPattern, ownerOfKey } from '../../lib/kv/key-names.ts';

/** Subs with the characters that mean something in names, patterns and encodings, and any others. */
const sub = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'{}:%*?[]\\ |@a1.-_'), minLength: 1, maxLength: 12 }),
  fc.constantFrom(
    'a',
    'a:keys',
    '%7B',
    '{',
    '}:keys',
    '{a}',
    '*',
    'a b',
    'test:a',
    'user@example.com',
    '%',
    '%%',
  ),
  fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 255 }),
);
const tenant = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'aA0_-'), minLength: 1, maxLength: 4 }),
  fc.constantFrom('test', 'a', 'test-2'),
);
const kind = fc.constantFrom('keys', 'used', 'audit', 'usage:2026-11', 'calls:29400000');

test('no two owners share a key, whatever their tenants and subs are', () => {
  fc.assert(
    fc.property(tenant, sub, tenant, sub, kind, kind, (t1, s1, t2, s2, k1, k2) => {
      const isSame = t1 === t2 && s1 === s2 && k1 === k2;
      expect(ownerKey(toUserId(t1, s1), k1) === ownerKey(toUserId(t2, s2), k2)).toBe(isSame);
    }),
    { numRuns: 5_000 },
  );
});

test('a key has one hash tag with tenant and owner in it, and nothing that a store or a shell interprets', () => {
  fc.assert(
    fc.property(tenant, sub, kind, (t, s, k) => {
      const user = toUserId(t, s);
      expect(user).toMatch(/^[A-Za-z0-9_-]+:[A-Za-z0-9_.@|%-]+$/);
      expect(ownerKey(user, k)).toBe(`uk:{${user}}:${k}`);
    }),
  );
});

test('tenant and sub are read back from the name, and the owner from the key', () => {
  fc.assert(
    fc.property(tenant, sub, (t, s) => {
      const user = toUserId(t, s);
      expect(splitUserId(user)).toEqual({ tenant: t, sub: s });
      expect(ownerOfKey(ownerKey(user, 'keys'), 'keys')).toBe(user);
      expect(ownerOfKey(ownerKey(user, 'used'), 'keys')).toBeUndefined();
    }),
  );
});

test('ordinary ids stay readable', () => {
  for (const id of ['user_2abc', 'auth0|123', 'a.b-c@example.com'])
    expect(toUserId('t1', id)).toBe(`t1:${id}`);
  expect(toUserId('t1', 'a b:{c}%*')).toBe('t1:a%20b%3A%7Bc%7D%25%2A');
});

test.each([
  ...[
    '',
    'a',
    't:',
    ':a',
    't:a:b',
    't:{a}',
    't:a b',
    't:*',
    't x:a',
    `${'t'.repeat(65)}:a`,
    `t:${'a'.repeat(256)}`,
  ],
  // Not as `toUserId` writes them: a second name for the same owner.
  ...['t:%61', 't:%7b', 't:%2', 't:%FF', 't:%7F', 't:%'],
])('the text %j in a key of the store is no owner’s name', (text) => {
  expect(isUserId(text)).toBe(false);
  expect(ownerOfKey(`uk:{${text}}:keys`, 'keys')).toBeUndefined();
});

test('refuses to name a user by a tenant or a sub that is not allowed', () => {
  for (const [t, s] of [
    ['', 'a'],
    ['a:b', 'c'],
    ['a', ''],
    ['a', 'ä'],
    ['a', 'a\n'],
    ['a', 'a'.repeat(256)],
  ] as const) {
    expect(isTenant(t) && isSubject(s)).toBe(false);
    expect(() => toUserId(t, s)).toThrow('not the name of a user');
  }
});

test('a tenant is the one that is configured, or else it follows from the exact issuer', async () => {
  const [issuer, slash, other] = await Promise.all(
    ['https://issuer.example', 'https://issuer.example/', 'https://other.example'].map((url) =>
      tenantOf({ issuer: url, tenant: undefined }),
    ),
  );
  // It names the data of every deployment without AUTH_TENANT, so it must never change.
  expect(issuer).toBe('tffb55acfff1cbc1b78ad');
  expect(new Set([issuer, slash, other]).size).toBe(3);
  for (const name of [issuer, slash, other]) expect(isTenant(String(name))).toBe(true);
  expect(await tenantOf({ issuer: 'https://issuer.example', tenant: 'mine' })).toBe('mine');
});

test('the pattern of a scan matches keys of that kind of every owner', () => {
  expect(ownerKeyPattern('keys')).toBe('uk:{*}:keys');
});
