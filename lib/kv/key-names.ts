/** The names of KV keys. docs/storage-schema.md lists them all. */
import { isUserId, subjectOf, type UserId } from '../identity/user-id.ts';

const OWNER_START = 'uk:{';
const OWNER_END = '}:';

/**
 * The braces are a hash tag of Redis Cluster: all keys of one owner are in one slot. `kind` may have a part of its own,
 * such as the month of `usage:2026-11`.
 */
export function ownerKey(user: UserId, kind: string): string {
  return `${OWNER_START}${user}${OWNER_END}${kind}`;
}

/** A pattern for `SCAN` that matches the keys of this kind of every owner. */
export function ownerKeyPattern(kind: string): string {
  return `${OWNER_START}*${OWNER_END}${kind}`;
}

/** The owner of a key of this kind; undefined for a key that `ownerKey` does not make. */
export function ownerOfKey(key: string, kind: string): UserId | undefined {
  const end = OWNER_END + kind;
  if (!key.startsWith(OWNER_START) || !key.endsWith(end)) return undefined;
  const user = key.slice(OWNER_START.length, -end.length);
  return isUserId(user) ? user : undefined;
}

/** A key that belongs to no owner. */
export function globalKey(name: string): string {
  return `uk:${name}`;
}

/**
 * The name of the same data before names had a tenant. `userkeys migrate tenant` moves such data, and the functions
 * refuse users who still have some. Remove this, and everything that calls it, in the next major version.
 */
export function legacyOwnerKey(user: UserId, kind: string): string {
  return `${LEGACY_PREFIX}${kind}:${subjectOf(user)}`;
}

/** With what the names of keys began before they had a tenant, global keys included. */
export const LEGACY_PREFIX = 'userkeys:';
