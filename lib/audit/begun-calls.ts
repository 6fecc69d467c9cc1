/**
 * The calls that use a user's keys and have not ended: one hash in KV. The script that admits a call adds it, the write
 * after its response removes it. A call that stays longer than a function may run has been interrupted; it is moved to
 * the audit log. docs/storage-schema.md describes the hash.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import { ERASED, type UserData } from '../kv/erasure.ts';
import { ownerKey } from '../kv/key-names.ts';
import { count, fieldsOfHash, type Query, query, type Script, scriptQuery } from '../kv/query.ts';
import { DAY_SECONDS, MAX_CALL_SECONDS, MAX_INTERRUPTED_ENTRIES } from '../limits.ts';
import { type AuditRoute, auditFields } from './audit-entry.ts';
import { type AuditBounds, boundArgs, usesKey } from './audit-log.ts';

export const begunKey = (user: UserId) => ownerKey(user, 'begun');

/** What is known of a call when it is admitted. Not its model: a caller could hide a key in its name. */
export type BegunCall = {
  readonly requestId: string;
  readonly startedAt: Date;
  readonly route: AuditRoute | undefined;
};

/** How a call in progress is stored, without its provider: when it began, twice, and its route. */
export function describeBegun({ startedAt, route }: BegunCall): string {
  return [startedAt.getTime(), startedAt.toISOString(), route ?? '-'].join(' ');
}

/**
 * Lua. `readBegun` returns how many calls are in progress, which have been interrupted, and which of those have been
 * moved to the log. A field is named by the request id. Its value is `<ms> <time> <route> <provider>` for a call in
 * progress, and `interrupted <ms> <id of its entry>` for one that has been moved.
 *
 * `moveInterrupted` appends an entry to the log for each call that has been interrupted. The id of the entry stays in
 * the hash for a day, so that a call which ends after all can replace it.
 */
export const BEGUN_FUNCTIONS = `
local function readBegun(begun, now, maxCallMs)
  local inProgress, expired, moved = 0, {}, {}
  local fields = redis.call('HGETALL', begun)
  for i = 1, #fields, 2 do
    local id, call = fields[i], fields[i + 1]
    local startedMs, time, route, provider = string.match(call, '^(%d+) (%S+) (%S+) (%S+)$')
    local movedMs = string.match(call, '^interrupted (%d+) ')
    if movedMs then moved[#moved + 1] = {id = id, movedMs = tonumber(movedMs)}
    elseif not startedMs then redis.call('HDEL', begun, id)
    elseif startedMs + maxCallMs > tonumber(now) then inProgress = inProgress + 1
    else expired[#expired + 1] = {id = id, time = time, route = route, provider = provider} end
  end
  return inProgress, expired, moved
end

local function moveInterrupted(begun, uses, now, expired, moved, bounds)
  if #expired == 0 then return end
  for _, call in ipairs(expired) do
    local values = {
      time = call.time, action = 'use', route = call.route, provider = call.provider, outcome = 'interrupted',
      requestId = call.id, count = '1'
    }
    local fields = {}
    for name in string.gmatch('${auditFields.join(' ')}', '%S+') do
      local value = values[name]
      if not value or value == '-' then value = '' end
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
    local entryId = redis.call('XADD', uses, 'MAXLEN', bounds.maxEntries, '*', unpack(fields))
    redis.call('HSET', begun, call.id, 'interrupted ' .. now .. ' ' .. entryId)
    moved[#moved + 1] = {id = call.id, movedMs = tonumber(now)}
  end
  table.sort(moved, function(a, b) return a.movedMs > b.movedMs end)
  for i, call in ipairs(moved) do
    local isOld = call.movedMs + bounds.lifetimeSeconds * 1000 < tonumber(now)
    if isOld or i > ${MAX_INTERRUPTED_ENTRIES} then redis.call('HDEL', begun, call.id) end
  end
  redis.call('XTRIM', uses, 'MINID', bounds.oldestId)
  redis.call('PEXPIRE', uses, bounds.maxAgeMs)
  redis.call('EXPIRE', begun, bounds.lifetimeSeconds)
end

local function readBounds(first)
  return {
    maxEntries = ARGV[first], oldestId = ARGV[first + 1], maxAgeMs = ARGV[first + 2],
    maxCallMs = ARGV[first + 3], lifetimeSeconds = ARGV[first + 4]
  }
end`;

/** What `readBounds` reads from `ARGV`. */
export function interruptionArgs(bounds: AuditBounds, now: Date): readonly string[] {
  return [...boundArgs(bounds, now), String(MAX_CALL_SECONDS * 1000), String(DAY_SECONDS)];
}

/** Moves calls that have been interrupted to the audit log. Of several simultaneous readers one moves each call. */
export function moveInterruptedCalls(user: UserId, bounds: AuditBounds, now: Date): Query<unknown> {
  return scriptQuery(
    {
      source: MOVE,
      keys: [begunKey(user), usesKey(user)],
      args: [String(now.getTime()), ...interruptionArgs(bounds, now)],
    },
    count,
  );
}

const MOVE = `
local begun, uses, now = KEYS[1], KEYS[2], ARGV[1]
${BEGUN_FUNCTIONS}
local bounds = readBounds(2)
local _, expired, moved = readBegun(begun, now, bounds.maxCallMs)
moveInterrupted(begun, uses, now, expired, moved, bounds)
return 1`;

/**
 * Removes a call that has ended, and the entry that says it was interrupted. Returns `ERASED` if the call is not in the
 * hash: then the user has been erased since it began, however long ago, and nothing about it may be written.
 */
export function completeCall(user: UserId, requestId: string): Script {
  return { source: COMPLETE, keys: [begunKey(user), usesKey(user)], args: [requestId] };
}

const COMPLETE = `
local begun, uses, id = KEYS[1], KEYS[2], ARGV[1]
local call = redis.call('HGET', begun, id)
if not call then return ${ERASED} end
redis.call('HDEL', begun, id)
local entryId = string.match(call, '^interrupted %d+ (%S+)$')
if entryId then redis.call('XDEL', uses, entryId) end
return 1`;

/** Removes a call of which it is not known whether it was admitted, because the answer of the store was lost. */
export function forgetCall(user: UserId, requestId: string): Script {
  return { source: FORGET, keys: [begunKey(user)], args: [requestId] };
}

const FORGET = `
local begun, id = KEYS[1], ARGV[1]
redis.call('HDEL', begun, id)
return 1`;

/** The calls in progress, and those interrupted in the last day. */
export const begunData: UserData = {
  name: 'callsInProgress',
  kvKeys: (user) => [begunKey(user)],
  read: (user) =>
    query(
      (pipeline) => pipeline.hgetall(begunKey(user)),
      z.tuple([fieldsOfHash]).transform(([fields]) =>
        [...fields].map(([requestId, text]) => {
          const [, time = null, route = null, provider = null] = text.split(' ');
          return text.startsWith('interrupted ')
            ? { requestId, outcome: 'interrupted' }
            : { requestId, time, route, provider };
        }),
      ),
    ),
};
