/**
 * A user's audit log in KV: three append-only streams, each limited in length and age, so that no kind of entry can
 * remove the entries of another kind. docs/storage-schema.md describes them.
 */
import type { UserId } from '../identity/user-id.ts';
import { ownerKey } from '../kv/key-names.ts';
import type { Script } from '../kv/query.ts';
import { DAY_MS, MAX_REFUSAL_GROUPS, REFUSAL_GROUPS_LIFETIME_SECONDS } from '../limits.ts';
import { type AuditEntry, auditFields, isSecurityEvent } from './audit-entry.ts';

export type AuditBounds = {
  /** Each stream keeps only its newest entries, at most this many. */
  readonly maxEntries: number;
  readonly maxAgeDays: number;
};

/** Uses of keys, and key checks. */
export const usesKey = (user: UserId) => ownerKey(user, 'audit');
const securityKey = (user: UserId) => ownerKey(user, 'security');
const refusalsKey = (user: UserId) => ownerKey(user, 'refusals');
export const refusalGroupsKey = (user: UserId) => ownerKey(user, 'refused');

/** In this order entries with the same id are shown. A cursor contains the position in this list. */
export const streamKeys = [usesKey, securityKey, refusalsKey] as const;

/**
 * Appends one or more entries of one kind, security events or uses, and removes those that exceed the bounds. `now`:
 * approximately the time of the write.
 */
export function appendAudit(
  user: UserId,
  entries: readonly AuditEntry[],
  bounds: AuditBounds,
  now: Date,
): Script {
  const key = entries.every(isSecurityEvent) ? securityKey(user) : usesKey(user);
  return { source: APPEND, keys: [key], args: [...boundArgs(bounds, now), ...entries.flatMap(toFieldArgs)] };
}

/** The longest stream, the age of the oldest entry as a stream id, and the lifetime of the stream. */
export function boundArgs({ maxEntries, maxAgeDays }: AuditBounds, now: Date): readonly string[] {
  const maxAgeMs = maxAgeDays * DAY_MS;
  return [String(maxEntries), String(Math.max(0, now.getTime() - maxAgeMs)), String(maxAgeMs)];
}

function toFieldArgs(entry: AuditEntry): readonly string[] {
  return auditFields.flatMap((name) => [name, String(entry[name] ?? '')]);
}

const ARGS_PER_ENTRY = 2 * auditFields.length;

const APPEND = `
local stream = KEYS[1]
local maxEntries, oldestId, maxAgeMs = ARGV[1], ARGV[2], ARGV[3]
for i = 4, #ARGV, ${ARGS_PER_ENTRY} do
  redis.call('XADD', stream, 'MAXLEN', maxEntries, '*', unpack(ARGV, i, i + ${ARGS_PER_ENTRY} - 1))
end
redis.call('XTRIM', stream, 'MINID', oldestId)
redis.call('PEXPIRE', stream, maxAgeMs)
return 1`;

/**
 * Records a refused call. Refusals of one hour with the same action, route, provider and outcome are one entry, which
 * counts them: a caller who is refused again and again cannot fill the log.
 */
export function recordRefusal(user: UserId, entry: AuditEntry, bounds: AuditBounds, now: Date): Script {
  const { action, route, provider, outcome } = entry;
  const { count: _, since: __, ...fields } = entry;
  return {
    source: RECORD_REFUSAL,
    keys: [refusalsKey(user), refusalGroupsKey(user)],
    args: [
      ...boundArgs(bounds, now),
      ...[entry.time.slice(0, 'YYYY-MM-DDTHH'.length), String(REFUSAL_GROUPS_LIFETIME_SECONDS)],
      ...[String(MAX_REFUSAL_GROUPS), [action, route, provider, outcome].join(' '), entry.time],
      ...Object.entries(fields).flatMap(([name, value]) => [name, String(value ?? '')]),
    ],
  };
}

/** A group is stored as the id of its entry, the number of refusals, and the time of the first. */
const RECORD_REFUSAL = `
local refusals, groups = KEYS[1], KEYS[2]
local maxEntries, oldestId, maxAgeMs = ARGV[1], ARGV[2], ARGV[3]
local hour, lifetimeSeconds, maxGroups, group, time = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]
local firstField = 9

local storedHour = redis.call('HGET', groups, 'hour')
if not storedHour or storedHour < hour or redis.call('HLEN', groups) > maxGroups then
  redis.call('DEL', groups)
  redis.call('HSET', groups, 'hour', hour)
end
local count, since, shownSince = 1, time, ''
local former = redis.call('HGET', groups, group)
if former then
  local id, formerCount, firstTime = string.match(former, '^(%S+) (%d+) (%S+)$')
  redis.call('XDEL', refusals, id)
  count, since, shownSince = tonumber(formerCount) + 1, firstTime, firstTime
end
local fields = {unpack(ARGV, firstField)}
for _, word in ipairs({'count', tostring(count), 'since', shownSince}) do fields[#fields + 1] = word end
local id = redis.call('XADD', refusals, 'MAXLEN', maxEntries, '*', unpack(fields))
redis.call('HSET', groups, group, id .. ' ' .. count .. ' ' .. since)
redis.call('EXPIRE', groups, lifetimeSeconds)
redis.call('XTRIM', refusals, 'MINID', oldestId)
redis.call('PEXPIRE', refusals, maxAgeMs)
return 1`;
