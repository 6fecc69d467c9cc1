/**
 * A user's bundle in KV: one hash of records, one field a provider, and one hash of the times they were last
 * used. Every write is one field; only fields the catalogue knows are read. docs/storage-schema.md describes both.
 */
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import { type CallStart, ERASED, unlessErased } from '../kv/erasure.ts';
import type { Ask } from '../kv/kv.ts';
import type { LateWrite } from '../kv/deferred-writes.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { kidOf } from './envelope.ts';
import { type KeyRecord, readStoredRecord, type StoredRecord } from './key-record.ts';
import { RETIRED_KEY } from './retired-kids.ts';

/** What the bundle says about one provider. */
export type BundleEntry = StoredRecord & { readonly lastUsedAt: string | undefined };
export type Bundle = ReadonlyMap<ProviderId, BundleEntry>;

/** What the KV key of every user's records begins with; the rest is the user. */
export const RECORDS_PREFIX = 'userkeys:keys:';

/** The KV key of a user's records; scripts that ask whether there is one take it among their `KEYS`. */
export const recordsKey = (user: UserId) => `${RECORDS_PREFIX}${user}`;
const usedKey = (user: UserId) => `userkeys:used:${user}`;

/** The stored records of these providers; a provider without one is absent. */
export function readBundle(user: UserId, providers: readonly ProviderId[]): Ask<Bundle> {
  return {
    commands: 2,
    add(batch) {
      batch.hmget(recordsKey(user), ...providers).hmget(usedKey(user), ...providers);
    },
    read([records, used]) {
      const entries = providers.flatMap((provider, index) => {
        const stored = readStoredRecord(at(records, index));
        const lastUsedAt = at(used, index);
        if (stored === undefined) return [];
        return [
          [
            provider,
            { ...stored, lastUsedAt: typeof lastUsedAt === 'string' ? lastUsedAt : undefined },
          ] as const,
        ];
      });
      return new Map(entries);
    },
  };
}

/**
 * Replaces a record only if the field still holds `expected` (undefined: still holds nothing). Reads false when
 * somebody else was faster; then nothing was written.
 *
 * `start`: when the call began that would store something where nothing is; needed only there.
 *
 * @throws (on reading) Problem `deployment_outdated` for an envelope under a master key that has been retired,
 *   `account_erased` when the user was erased since `start`. Nothing was written then.
 */
export function replaceRecord(
  user: UserId,
  provider: ProviderId,
  expected: string | undefined,
  next: KeyRecord,
  start?: CallStart,
): Ask<boolean> {
  // An envelope that is there already is not brought in: a new status for it is always welcome.
  const stays = readStoredRecord(expected)?.record?.jwe === next.jwe;
  const newKid = stays ? '' : (kidOf(next.jwe) ?? '');
  return {
    commands: 1,
    add(batch) {
      const keys = [recordsKey(user), RETIRED_KEY];
      const args = [provider, expected ?? '', JSON.stringify(next), newKid];
      batch.eval(...unlessErased(start, { script: COMPARE_AND_SET, keys, args }));
    },
    read([result]) {
      const code = Number(result);
      if (code === RETIRED) throw new Problem('deployment_outdated');
      if (code === ERASED) throw new Problem('account_erased');
      return code === 1;
    },
  };
}

const RETIRED = -1;

const COMPARE_AND_SET = `
local held = redis.call('HGET', KEYS[1], ARGV[1])
if (held or '') ~= ARGV[2] then return 0 end
if redis.call('SISMEMBER', KEYS[2], ARGV[4]) == 1 then return ${RETIRED} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`;

/** Writes down when a key was used, unless it was deleted meanwhile: a deleted key leaves nothing behind. */
export function noteUse(user: UserId, provider: ProviderId, at: Date): LateWrite {
  return {
    script: SET_IF_STORED,
    keys: [recordsKey(user), usedKey(user)],
    args: [provider, at.toISOString()],
  };
}

const SET_IF_STORED = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
return 1`;

export function deleteRecord(user: UserId, provider: ProviderId): Ask<void> {
  return {
    commands: 2,
    add(batch) {
      batch.hdel(recordsKey(user), provider).hdel(usedKey(user), provider);
    },
    read: () => undefined,
  };
}

export function deleteBundle(user: UserId): Ask<void> {
  return {
    commands: 1,
    add(batch) {
      batch.del(...bundleKeys(user));
    },
    read: () => undefined,
  };
}

/** Every KV key of a bundle. */
export function bundleKeys(user: UserId): readonly [records: string, used: string] {
  return [recordsKey(user), usedKey(user)];
}

function at(values: unknown, index: number): unknown {
  return Array.isArray(values) ? values[index] : undefined;
}
