/**
 * When a user deleted which of their keys: one hash, one field a provider, and `*` for all keys at once. A save that
 * began before a deletion sees that the times have changed and stores nothing; a migration does not bring a deleted key
 * back. docs/storage-schema.md describes the hash.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import type { UserData } from '../kv/erasure.ts';
import { ownerKey } from '../kv/key-names.ts';
import { fieldsOfHash, optionalTexts, type Query, query } from '../kv/query.ts';
import type { ProviderId } from '../providers/catalogue.ts';

export const deletionsKey = (user: UserId) => ownerKey(user, 'deleted');
/** The field for all keys at once. No provider has this id. */
export const ALL_KEYS = '*';

/** When a key was last deleted, by itself and with all others. Empty: never. Times are only compared for equality. */
export type Deletions = { readonly own: string; readonly all: string };

export const NEVER_DELETED: Deletions = { own: '', all: '' };

export const wasEverDeleted = ({ own, all }: Deletions) => own !== '' || all !== '';

export function readDeletions(user: UserId, provider: ProviderId): Query<Deletions> {
  return query(
    (pipeline) => pipeline.hmget(deletionsKey(user), provider, ALL_KEYS),
    z.tuple([optionalTexts(2)]).transform(([[own, all]]) => ({ own: own ?? '', all: all ?? '' })),
  );
}

/** Lua: whether a key was deleted since its deletions were read. */
export const WAS_DELETED = `
local function wasDeleted(deletions, provider, own, all)
  local times = redis.call('HMGET', deletions, provider, '${ALL_KEYS}')
  return (times[1] or '') ~= own or (times[2] or '') ~= all
end`;

/**
 * Lua: writes the time of a deletion, in milliseconds of the store's own clock. Two deletions never have the same time,
 * even in one millisecond or after the clock was set back.
 */
export const RECORD_DELETION = `
local function recordDeletion(deletions, field)
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  local former = tonumber(redis.call('HGET', deletions, field) or '0')
  redis.call('HSET', deletions, field, string.format('%.0f', math.max(now, former + 1)))
end`;

/** What was deleted and when; `provider` is null for all keys at once. */
export const deletionData: UserData = {
  name: 'deletedKeys',
  kvKeys: (user) => [deletionsKey(user)],
  read: (user) =>
    query(
      (pipeline) => pipeline.hgetall(deletionsKey(user)),
      z.tuple([fieldsOfHash]).transform(([times]) =>
        [...times].map(([field, time]) => ({
          provider: field === ALL_KEYS ? null : field,
          deletedAt: new Date(Number(time)).toISOString(),
        })),
      ),
    ),
};
