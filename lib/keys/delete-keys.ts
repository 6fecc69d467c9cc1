/**
 * Deleting keys: the record, the last use, the guards and today's count go in one script, which leaves the time of the
 * deletion. A save or a change of guards that began earlier then stores nothing.
 */
import { z } from 'zod';
import { guardFields, guardsKey, usedTodayKey } from '../guards/stored-guards.ts';
import type { UserId } from '../identity/user-id.ts';
import type { ScriptedWrite } from '../kv/query.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { ALL_KEYS, deletionsKey, RECORD_DELETION } from '../vault/deletions.ts';
import { lastUsedKey, recordsKey } from '../vault/records.ts';

/** A key that is not stored leaves the time too: its first save may be under way. */
export function deleteKey(user: UserId, provider: ProviderId): ScriptedWrite<1> {
  return {
    script: {
      source: DELETE_KEY,
      keys: keysOf(user),
      args: [provider, ...guardFields(provider)],
    },
    answer: z.literal(1),
  };
}

/** Includes keys of providers that are no longer in the catalogue. */
export function deleteAllKeys(user: UserId): ScriptedWrite<1> {
  return { script: { source: DELETE_ALL_KEYS, keys: keysOf(user), args: [] }, answer: z.literal(1) };
}

const keysOf = (user: UserId) => [
  recordsKey(user),
  lastUsedKey(user),
  guardsKey(user),
  usedTodayKey(user),
  deletionsKey(user),
];

const DELETE_KEY = `
local records, lastUsed, guards, usedToday, deletions = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local provider, firstGuardField = ARGV[1], 2
${RECORD_DELETION}
redis.call('HDEL', records, provider)
redis.call('HDEL', lastUsed, provider)
redis.call('HDEL', guards, unpack(ARGV, firstGuardField))
redis.call('HDEL', usedToday, provider)
recordDeletion(deletions, provider)
return 1`;

const DELETE_ALL_KEYS = `
local records, lastUsed, guards, usedToday, deletions = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
${RECORD_DELETION}
redis.call('DEL', records, lastUsed, guards, usedToday)
recordDeletion(deletions, '${ALL_KEYS}')
return 1`;
