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
  assertLength,
  fieldsOfHash,
  mapQuery,
  optionalText,
  type Query,
  query,
  type Script,
  scriptQuery,
} from '../kv/query.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { type Deletions, deletionsKey, NEVER_DELETED, WAS_DELETED } from './deletions.ts';
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
export const lastUsedKey = (user: UserId) => ownerKey(user, 'used');

/** The stored records of these providers; a provider without one is absent. */
export function readRecords(user: UserId, providers: readonly ProviderId[]): Query<Records> {
  const lists = query(
    (pipeline) => pipeline.hmget(recordsKey(user), ...providers).hmget(lastUsedKey(user), ...providers),
    recordsAndLastUses,
  );
  return mapQuery(lists, ([records, lastUsed]): Records => {
    assertLength(records, providers.length);
    assertLength(lastUsed, providers.length);
    const entries = providers.flatMap((provider, index) => {
      const text = records[index];
      if (text == null) return [];
      return [[provider, { ...parseStoredRecord(text), lastUsedAt: lastUsed[index] ?? undefined }] as const];
    });
    return new Map(entries);
  });
}

const recordsAndLastUses = z.tuple([z.array(optionalText), z.array(optionalText)]);

/**
 * The result of a write. `changed`: the field no longer holds the expected value. `retired`: the record is sealed
 * under a master key that has been retired. `erased`: the user was erased since the call began. `deleted`: the key was
 * deleted. Only `replaced` stored anything.
 */
export type ReplaceOutcome = 'replaced' | 'changed' | 'retired' | 'erased' | 'deleted';

/**
 * Replaces a record by compare-and-set: only if the field still holds `expected` (undefined: no value). For writes that
 * never create a record, so that none can bring a deleted key back.
 */
export function replaceRecord(
  user: UserId,
  provider: ProviderId,
  expected: string | undefined,
  next: KeyRecord,
): Query<ReplaceOutcome> {
  return scriptQuery(compareAndSet(user, provider, expected, next), replaceOutcome);
}

/** As `replaceRecord`, for a record from elsewhere: a key that its owner has ever deleted here stays deleted. */
export function importRecord(
  user: UserId,
  provider: ProviderId,
  expected: string | undefined,
  next: KeyRecord,
  start: CallStart,
): Query<ReplaceOutcome> {
  const { source, keys, args } = compareAndSet(user, provider, expected, next);
  return scriptQuery(
    unlessErased(start, {
      source: UNLESS_EVER_DELETED + source,
      keys: [...keys, deletionsKey(user)],
      args: [...args, NEVER_DELETED.own, NEVER_DELETED.all],
    }),
    replaceOutcome,
  );
}

function compareAndSet(
  user: UserId,
  provider: ProviderId,
  expected: string | undefined,
  next: KeyRecord,
): Script {
  // A record that keeps its envelope, such as one with a new status, does not bring a retired master key back.
  const keepsEnvelope = expected !== undefined && parseStoredRecord(expected).record?.jwe === next.jwe;
  const newKid = keepsEnvelope ? '' : (kidOf(next.jwe) ?? '');
  return {
    source: COMPARE_AND_SET,
    keys: [recordsKey(user), RETIRED_KEY],
    args: [provider, expected ?? '', JSON.stringify(next), newKid],
  };
}

const RETIRED = -1;
const DELETED = -3;
const replaceOutcome = z
  .union([z.literal(1), z.literal(0), z.literal(RETIRED), z.literal(ERASED), z.literal(DELETED)])
  .transform((code) => OUTCOMES[code]);
const OUTCOMES = {
  1: 'replaced',
  0: 'changed',
  [RETIRED]: 'retired',
  [ERASED]: 'erased',
  [DELETED]: 'deleted',
} as const;

const COMPARE_AND_SET = `
local records, retired = KEYS[1], KEYS[2]
local provider, expected, replacement, newKid = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if (redis.call('HGET', records, provider) or '') ~= expected then return 0 end
if redis.call('SISMEMBER', retired, newKid) == 1 then return ${RETIRED} end
redis.call('HSET', records, provider, replacement)
return 1`;

const UNLESS_EVER_DELETED = `
local deletions, provider, ownDeletion, allDeletion = KEYS[3], ARGV[1], ARGV[5], ARGV[6]
${WAS_DELETED}
if wasDeleted(deletions, provider, ownDeletion, allDeletion) then return ${DELETED} end
`;

/** What a save left in the store. */
export type SavedRecord = {
  readonly text: string;
  /** No record was stored for this provider before. */
  readonly isNew: boolean;
  readonly lastUsedAt: string | undefined;
};

/**
 * Stores a sealed key as the next version of the record, whatever the record holds now: of two saves the later one
 * stays. The script counts the version, so that no save has to be tried again. `deletions` are those that the call read
 * when it began.
 */
export function saveRecord(
  user: UserId,
  provider: ProviderId,
  sealed: Pick<KeyRecord, 'jwe' | 'hint' | 'status'>,
  { at, start, deletions }: { readonly at: Date; readonly start: CallStart; readonly deletions: Deletions },
): Query<SavedRecord | 'erased' | 'deleted' | 'retired'> {
  const { jwe, hint, status } = sealed;
  return scriptQuery(
    unlessErased(start, {
      source: SAVE,
      keys: [recordsKey(user), lastUsedKey(user), deletionsKey(user), RETIRED_KEY],
      args: [
        ...[provider, JSON.stringify({ v: 1, jwe, hint, status }), at.toISOString(), kidOf(jwe) ?? ''],
        ...[deletions.own, deletions.all],
      ],
    }),
    z.union([
      z
        .union([z.literal(ERASED), z.literal(DELETED), z.literal(RETIRED)])
        .transform((code) => OUTCOMES[code]),
      z.tuple([z.string(), z.literal([0, 1]), z.string()]).transform(([text, isNew, lastUsedAt]) => ({
        text,
        isNew: isNew === 1,
        lastUsedAt: lastUsedAt === '' ? undefined : lastUsedAt,
      })),
    ]),
  );
}

/**
 * `createdAt` and the version come from the record as it is now. They are matched and not decoded: a damaged record must
 * not stop a save. A version of more than nine digits is damage.
 */
const SAVE = `
local records, lastUsed, deletions, retired = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local provider, sealed, now, newKid = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local ownDeletion, allDeletion = ARGV[5], ARGV[6]
${WAS_DELETED}
if wasDeleted(deletions, provider, ownDeletion, allDeletion) then return ${DELETED} end
if redis.call('SISMEMBER', retired, newKid) == 1 then return ${RETIRED} end
local former = redis.call('HGET', records, provider)
local version = string.match(former or '', '"version":(%d+)[,}]') or '0'
if #version > 9 then version = '0' end
local createdAt = string.match(former or '', '"createdAt":"(%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ)"') or now
local times = string.format(',"version":%.0f,"createdAt":"%s","updatedAt":"%s"}', version + 1, createdAt, now)
local record = string.sub(sealed, 1, -2) .. times
redis.call('HSET', records, provider, record)
return {record, former and 0 or 1, redis.call('HGET', lastUsed, provider) or ''}`;

/**
 * Records when a key was used, unless it was deleted meanwhile: a deleted key leaves no data, and the next key was not
 * used then.
 */
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
local createdAt = string.match(redis.call('HGET', records, provider) or '', '"createdAt":"([^"]*)"')
if createdAt and createdAt <= usedAt then redis.call('HSET', lastUsed, provider, usedAt) end
return 1`;

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
