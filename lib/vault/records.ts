/**
 * A user's records in KV: one hash with one record per provider, and one hash with the time of each key's last use. Every
 * write changes one field. Only fields of providers in the catalogue are read. docs/storage-schema.md describes both
 * hashes.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import { type CallStart, ERASED, type UserData, unlessErased } from '../kv/erasure.ts';
import { ownerKey } from '../kv/key-names.ts';
import {
  count,
  fieldsOfHash,
  optionalTexts,
  type Query,
  query,
  type Script,
  scriptQuery,
} from '../kv/query.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { kidOf } from './envelope.ts';
import { type KeyRecord, parseStoredRecord, type StoredRecord } from './key-record.ts';
import { RETIRED_KEY } from './retired-kids.ts';

/** The stored record of one provider, and when its key was last used. */
export type RecordEntry = StoredRecord & { readonly lastUsedAt: string | undefined };
export type Records = ReadonlyMap<ProviderId, RecordEntry>;

/** The kind of the KV keys that hold users' records. */
export const RECORDS_KIND = 'keys';

/** The KV key of a user's records. Scripts that check whether a key is stored need it in their `KEYS`. */
export const recordsKey = (user: UserId) => ownerKey(user, RECORDS_KIND);
const lastUsedKey = (user: UserId) => ownerKey(user, 'used');

/** The stored records of these providers; a provider without one is absent. */
export function readRecords(user: UserId, providers: readonly ProviderId[]): Query<Records> {
  const texts = optionalTexts(providers.length);
  return query(
    (pipeline) => pipeline.hmget(recordsKey(user), ...providers).hmget(lastUsedKey(user), ...providers),
    z.tuple([texts, texts]).transform(([records, lastUsed]): Records => {
      const entries = providers.flatMap((provider, index) => {
        const text = records[index];
        if (text == null) return [];
        return [
          [provider, { ...parseStoredRecord(text), lastUsedAt: lastUsed[index] ?? undefined }] as const,
        ];
      });
      return new Map(entries);
    }),
  );
}

/**
 * The result of a write. `changed`: the field no longer holds the expected value. `retired`: the record is sealed
 * under a master key that has been retired. `erased`: the user was erased since the call began. Only `replaced` stored
 * anything.
 */
export type ReplaceOutcome = 'replaced' | 'changed' | 'retired' | 'erased';

/**
 * Replaces a record by compare-and-set: only if the field still holds `expected` (undefined: no value).
 * `start` is required if the write may create a record.
 */
export function replaceRecord(
  user: UserId,
  provider: ProviderId,
  expected: string | undefined,
  next: KeyRecord,
  start?: CallStart,
): Query<ReplaceOutcome> {
  // A record that keeps its envelope, such as one with a new status, does not bring a retired master key back.
  const keepsEnvelope = expected !== undefined && parseStoredRecord(expected).record?.jwe === next.jwe;
  const newKid = keepsEnvelope ? '' : (kidOf(next.jwe) ?? '');
  return scriptQuery(
    unlessErased(start, {
      source: COMPARE_AND_SET,
      keys: [recordsKey(user), RETIRED_KEY],
      args: [provider, expected ?? '', JSON.stringify(next), newKid],
    }),
    replaceOutcome,
  );
}

const RETIRED = -1;
const replaceOutcome = z
  .union([z.literal(1), z.literal(0), z.literal(RETIRED), z.literal(ERASED)])
  .transform((code) => OUTCOMES[code]);
const OUTCOMES = { 1: 'replaced', 0: 'changed', [RETIRED]: 'retired', [ERASED]: 'erased' } as const;

const COMPARE_AND_SET = `
local records, retired = KEYS[1], KEYS[2]
local provider, expected, replacement, newKid = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if (redis.call('HGET', records, provider) or '') ~= expected then return 0 end
if redis.call('SISMEMBER', retired, newKid) == 1 then return ${RETIRED} end
redis.call('HSET', records, provider, replacement)
return 1`;

/** Records when a key was used, unless the key was deleted meanwhile: a deleted key leaves no data. */
export function recordLastUse(user: UserId, provider: ProviderId, at: Date): Script {
  return {
    source: SET_IF_STORED,
    keys: [recordsKey(user), lastUsedKey(user)],
    args: [provider, at.toISOString()],
  };
}

const SET_IF_STORED = `
local records, lastUsed = KEYS[1], KEYS[2]
local provider, usedAt = ARGV[1], ARGV[2]
if redis.call('HEXISTS', records, provider) == 1 then redis.call('HSET', lastUsed, provider, usedAt) end
return 1`;

export function deleteRecord(user: UserId, provider: ProviderId): Query<unknown> {
  return query(
    (pipeline) => pipeline.hdel(recordsKey(user), provider).hdel(lastUsedKey(user), provider),
    z.tuple([count, count]),
  );
}

export function deleteAllRecords(user: UserId): Query<unknown> {
  return query((pipeline) => pipeline.del(recordsKey(user), lastUsedKey(user)), z.tuple([count]));
}

/** Metadata of all of a user's stored keys, including those of providers that are no longer in the catalogue. */
export const keyData: UserData = {
  name: 'keys',
  kvKeys: (user) => [recordsKey(user), lastUsedKey(user)],
  read: (user) =>
    query(
      (pipeline) => pipeline.hgetall(recordsKey(user)).hgetall(lastUsedKey(user)),
      z.tuple([fieldsOfHash, fieldsOfHash]).transform(([records, lastUsed]) =>
        [...records].map(([provider, text]) => {
          // Everything but the envelope may be shown.
          const { jwe: _, v: __, ...shown } = parseStoredRecord(text).record ?? { status: 'unreadable' };
          return { provider, ...shown, lastUsedAt: lastUsed.get(provider) ?? null };
        }),
      ),
    ),
};
