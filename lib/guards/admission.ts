/**
 * Admitting a call that uses a key, in one script: it counts against the rate limit, against the limit of simultaneous
 * calls and against the daily limit of the key it will use, and is recorded as begun. Of any number of simultaneous
 * calls exactly as many pass as the user allows.
 */
import { z } from 'zod';
import { type AuditBounds, usesKey } from '../audit/audit-log.ts';
import {
  BEGUN_FUNCTIONS,
  type BegunCall,
  begunKey,
  describeBegun,
  interruptionArgs,
} from '../audit/begun-calls.ts';
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import { type CallStart, ERASED, unlessErased } from '../kv/erasure.ts';
import { assertLength, count, mapQuery, type Query, type Script, scriptQuery } from '../kv/query.ts';
import {
  CALL_COUNTER_LIFETIME_SECONDS,
  CONCURRENT_CALLS_RETRY_SECONDS,
  DAY_COUNTER_LIFETIME_SECONDS,
} from '../limits.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { recordsKey } from '../vault/records.ts';
import type { KeyDecision } from './key-decision.ts';
import { assertWithinRateLimit, type CallCounts, type RateWindow } from './rate-limit.ts';
import { dayOf, guardsKey, splitModels, usedTodayKey } from './stored-guards.ts';

export type WantedKey = {
  readonly provider: ProviderId;
  /**
   * The model of the call. Undefined: not known yet, or chosen by the operator's code; the code that determines the model
   * must compare it with the decision's `models`. Null: no model, which a key restricted to models refuses.
   */
  readonly model?: string | null | undefined;
  /** In local mode: `.env` has a key for this provider, whether or not KV has one. */
  readonly isInFile: boolean;
};

/**
 * `first`: one key will be used, the first of the wanted that may be, and the call counts for that key alone.
 * `each`: any of them may be used; the call counts for every wanted key that has a daily limit.
 */
export type Take = 'first' | 'each';

export type UseLimits = {
  readonly callsPerMinute: number;
  readonly maxConcurrentCalls: number;
};

export type Admission = {
  /** Why the call is refused, whatever its keys allow. It then counts for no key and has not begun. */
  readonly refusal: 'erased' | 'rate' | 'concurrency' | undefined;
  readonly calls: CallCounts;
  /** Empty when the call is refused. */
  readonly decisions: ReadonlyMap<ProviderId, KeyDecision>;
};

/** Whether the store has the call as begun: it has as soon as one key may be used. */
export function hasBegun({ decisions }: Admission): boolean {
  return [...decisions.values()].some(({ outcome }) => outcome === 'allowed');
}

/** `start`: when the call began, for the user's erasure. */
export function admitUse(
  user: UserId,
  wanted: readonly WantedKey[],
  take: Take,
  {
    call,
    start,
    window,
    limits,
    auditBounds,
    now,
  }: {
    readonly call: BegunCall;
    readonly start: CallStart;
    readonly window: RateWindow;
    readonly limits: UseLimits;
    readonly auditBounds: AuditBounds;
    readonly now: Date;
  },
): Query<Admission> {
  const admission = unlessErased(start, {
    source: ADMIT,
    keys: [
      ...[window.currentKey, window.previousKey, recordsKey(user), guardsKey(user), usedTodayKey(user)],
      ...[begunKey(user), usesKey(user)],
    ],
    args: [
      ...[
        String(limits.callsPerMinute),
        String(window.previousWeight),
        String(CALL_COUNTER_LIFETIME_SECONDS),
      ],
      ...[dayOf(now), String(now.getTime()), String(DAY_COUNTER_LIFETIME_SECONDS), take],
      ...[String(limits.maxConcurrentCalls), call.requestId, describeBegun(call)],
      ...interruptionArgs(auditBounds, now),
      String(wanted.length),
      ...wanted.flatMap(({ provider, model, isInFile }) => [
        provider,
        model === null ? NO_MODEL : (model ?? ''),
        isInFile ? '1' : '',
      ]),
    ],
  });
  return mapQuery(scriptQuery(admission, admissionAnswer), (answer): Admission => {
    if (answer === ERASED) return { refusal: 'erased', calls: NO_CALLS, decisions: new Map() };
    const [refusal, current, previous, decisions] = answer;
    assertLength(decisions, refusal === 'none' ? wanted.length : 0);
    const decided = wanted.flatMap(({ provider }, index) => {
      const found = decisions[index];
      return found === undefined ? [] : [[provider, found] as const];
    });
    return {
      refusal: refusal === 'none' ? undefined : refusal,
      calls: { current, previous },
      decisions: new Map(decided),
    };
  });
}

const NO_CALLS: CallCounts = { current: 0, previous: 0 };

/**
 * Refuses a call that the script has refused.
 *
 * @throws Problem `account_erased`, `rate_limited` with `Retry-After` and the `RateLimit` fields, `too_many_calls` with
 *   `Retry-After`.
 */
export function assertAdmitted({ refusal, calls }: Admission, window: RateWindow, limits: UseLimits): void {
  if (refusal === 'erased') throw new Problem('account_erased');
  assertWithinRateLimit(calls, window, limits.callsPerMinute);
  if (refusal === undefined) return;
  throw new Problem('too_many_calls', {
    detail: `${limits.maxConcurrentCalls} of your calls are in progress. The provider was not called. Wait until one of them has ended.`,
    headers: { 'retry-after': String(CONCURRENT_CALLS_RETRY_SECONDS) },
  });
}

/** Not the name of a model: those begin with a letter or a digit. */
const NO_MODEL = '-';

const OUTCOMES = {
  allowed: 'allowed',
  paused: 'key_paused',
  expired: 'key_expired',
  model: 'model_not_allowed',
  used: 'daily_limit_reached',
} as const;

/** What the script decides about one wanted key. */
const decision = z.union([
  z
    .tuple([z.enum(['allowed', 'paused', 'expired', 'model', 'used']), z.string(), z.string(), z.int()])
    .transform(
      ([outcome, models, callsPerDay, isCounted]): KeyDecision => ({
        outcome: OUTCOMES[outcome],
        models: models === '' ? undefined : splitModels(models),
        callsPerDay: callsPerDay === '' ? undefined : Number(callsPerDay),
        isCounted: isCounted === 1,
      }),
    ),
  z.tuple([z.literal('missing')]).transform((): KeyDecision => ({ outcome: 'missing', isCounted: false })),
]);

const admissionAnswer = z.union([
  z.tuple([z.enum(['rate', 'concurrency', 'none']), count, count, z.array(decision)]),
  z.literal(ERASED),
]);

/**
 * The order of judgement: rate limit, calls in progress, guards. A refusal writes nothing but the counter of calls. A
 * day that has begun does not end again when a call comes from an instance with a slower clock.
 */
const ADMIT = `
local currentCalls, previousCalls, records, guards, usedToday = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local begun, uses = KEYS[6], KEYS[7]
local callsPerMinute, previousWeight, counterLifetime = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local today, now, dayLifetime, take = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local maxConcurrentCalls, requestId, thisCall = tonumber(ARGV[8]), ARGV[9], ARGV[10]
${BEGUN_FUNCTIONS}
local bounds = readBounds(11)
local wantedCount, firstWanted, wordsPerWanted = tonumber(ARGV[16]), 17, 3

local current = redis.call('INCR', currentCalls)
redis.call('EXPIRE', currentCalls, counterLifetime)
local previous = tonumber(redis.call('GET', previousCalls) or '0')
if previous * previousWeight + current > callsPerMinute then return {'rate', current, previous, {}} end

local inProgress, expired, moved = readBegun(begun, now, bounds.maxCallMs)
if inProgress >= maxConcurrentCalls then return {'concurrency', current, previous, {}} end

local takesFirst = take == 'first'
local isGuarded = redis.call('EXISTS', guards) == 1
local isStored = {}
for _, provider in ipairs(redis.call('HKEYS', records)) do isStored[provider] = true end

local function callsToday(provider)
  local day = redis.call('HGET', usedToday, 'day')
  if not day or day < today then return 0 end
  return tonumber(redis.call('HGET', usedToday, provider) or '0')
end

local function countToday(provider)
  local day = redis.call('HGET', usedToday, 'day')
  if not day or day < today then
    redis.call('DEL', usedToday)
    redis.call('HSET', usedToday, 'day', today)
  end
  redis.call('HINCRBY', usedToday, provider, 1)
  redis.call('EXPIRE', usedToday, dayLifetime)
end

local function decide(provider, model)
  if not isGuarded and not takesFirst then return {'allowed', '', '', 0} end
  local paused, expiresAt, models, perDay
  if isGuarded then
    local prefix = provider .. ':'
    local fields = redis.call('HMGET', guards, prefix .. 'paused', prefix .. 'expiresAt', prefix .. 'models', prefix .. 'callsPerDay')
    paused, expiresAt, models, perDay = fields[1], fields[2], fields[3], fields[4]
  end
  models, perDay = models or '', perDay or ''
  if paused then return {'paused', models, perDay, 0} end
  if expiresAt and tonumber(expiresAt) <= tonumber(now) then return {'expired', models, perDay, 0} end
  if models ~= '' and model ~= '' and not string.find(' ' .. models .. ' ', ' ' .. model .. ' ', 1, true) then
    return {'model', models, perDay, 0}
  end
  if not takesFirst and perDay == '' then return {'allowed', models, perDay, 0} end
  if perDay ~= '' and callsToday(provider) >= tonumber(perDay) then return {'used', models, perDay, 0} end
  countToday(provider)
  return {'allowed', models, perDay, 1}
end

local decisions = {}
local taken
for i = firstWanted, firstWanted + (wantedCount - 1) * wordsPerWanted, wordsPerWanted do
  local provider, model, isInFile = ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1'
  local decision = {'missing'}
  if (isInFile or isStored[provider]) and not (takesFirst and taken) then
    decision = decide(provider, model)
    if decision[1] == 'allowed' then taken = takesFirst and provider or '-' end
  end
  decisions[#decisions + 1] = decision
end
if taken then
  moveInterrupted(begun, uses, now, expired, moved, bounds)
  redis.call('HSET', begun, requestId, thisCall .. ' ' .. taken)
  redis.call('EXPIRE', begun, bounds.lifetimeSeconds)
end
return {'none', current, previous, decisions}`;

/** Takes this call off the daily counts of keys for which it was counted and which it did not use. */
export function uncountUnused(user: UserId, providers: readonly ProviderId[], now: Date): Script {
  return { source: UNCOUNT, keys: [usedTodayKey(user)], args: [dayOf(now), ...providers] };
}

const UNCOUNT = `
local usedToday, today = KEYS[1], ARGV[1]
if redis.call('HGET', usedToday, 'day') ~= today then return 0 end
for i = 2, #ARGV do
  local provider = ARGV[i]
  if tonumber(redis.call('HGET', usedToday, provider) or '0') > 0 then redis.call('HINCRBY', usedToday, provider, -1) end
end
return 1`;
