/**
 * Admitting a call that uses a key: it counts against the rate limit, and against the daily limit of the key it will
 * use, in one script. Of any number of simultaneous calls exactly as many pass as the user allows.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import { count, type Query, type Script, scriptQuery } from '../kv/query.ts';
import { CALL_COUNTER_LIFETIME_SECONDS, DAY_COUNTER_LIFETIME_SECONDS } from '../limits.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { recordsKey } from '../vault/records.ts';
import type { KeyDecision } from './key-decision.ts';
import type { CallCounts, RateWindow } from './rate-limit.ts';
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

export type Admission = {
  readonly calls: CallCounts;
  /** Empty when the call is over the rate limit; it then counts for no key. */
  readonly decisions: ReadonlyMap<ProviderId, KeyDecision>;
};

export function admitUse(
  user: UserId,
  wanted: readonly WantedKey[],
  take: Take,
  limit: { readonly callsPerMinute: number; readonly window: RateWindow; readonly now: Date },
): Query<Admission> {
  const { window, now } = limit;
  return scriptQuery(
    {
      source: ADMIT,
      keys: [window.currentKey, window.previousKey, recordsKey(user), guardsKey(user), usedTodayKey(user)],
      args: [
        ...[
          String(limit.callsPerMinute),
          String(window.previousWeight),
          String(CALL_COUNTER_LIFETIME_SECONDS),
        ],
        ...[dayOf(now), String(now.getTime()), String(DAY_COUNTER_LIFETIME_SECONDS), take],
        ...wanted.flatMap(({ provider, model, isInFile }) => [
          provider,
          model === null ? NO_MODEL : (model ?? ''),
          isInFile ? '1' : '',
        ]),
      ],
    },
    z
      .tuple([count, count, z.array(decision)])
      .refine(([, , decisions]) => decisions.length === 0 || decisions.length === wanted.length)
      .transform(([current, previous, decisions]): Admission => {
        const decided = wanted.flatMap(({ provider }, index) => {
          const found = decisions[index];
          return found === undefined ? [] : [[provider, found] as const];
        });
        return { calls: { current, previous }, decisions: new Map(decided) };
      }),
  );
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
  z.tuple([z.literal('missing')]).transform((): KeyDecision => ({ outcome: 'missing', isCounted: false })),
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
]);

/** A day that has begun does not end again when a call comes from an instance with a slower clock. */
const ADMIT = `
local currentCalls, previousCalls, records, guards, usedToday = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local callsPerMinute, previousWeight, counterLifetime = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local today, nowMs, dayLifetime, take = ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7]
local firstWanted, wordsPerWanted = 8, 3

local current = redis.call('INCR', currentCalls)
redis.call('EXPIRE', currentCalls, counterLifetime)
local previous = tonumber(redis.call('GET', previousCalls) or '0')
if previous * previousWeight + current > callsPerMinute then return {current, previous, {}} end

local takesFirst = take == 'first'
local isGuarded = redis.call('EXISTS', guards) == 1
local isStored = {}
for _, provider in ipairs(redis.call('HKEYS', records)) do isStored[provider] = true end

local function callsToday(provider)
  local day = redis.call('HGET', usedToday, 'day')
  if not day or day < today then
    redis.call('DEL', usedToday)
    redis.call('HSET', usedToday, 'day', today)
  end
  return tonumber(redis.call('HGET', usedToday, provider) or '0')
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
  if expiresAt and tonumber(expiresAt) <= nowMs then return {'expired', models, perDay, 0} end
  if models ~= '' and model ~= '' and not string.find(' ' .. models .. ' ', ' ' .. model .. ' ', 1, true) then
    return {'model', models, perDay, 0}
  end
  if not takesFirst and perDay == '' then return {'allowed', models, perDay, 0} end
  local used = callsToday(provider)
  if perDay ~= '' and used >= tonumber(perDay) then return {'used', models, perDay, 0} end
  redis.call('HINCRBY', usedToday, provider, 1)
  redis.call('EXPIRE', usedToday, dayLifetime)
  return {'allowed', models, perDay, 1}
end

local decisions = {}
local isTaken = false
for i = firstWanted, #ARGV, wordsPerWanted do
  local provider, model, isInFile = ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1'
  local decision = {'missing'}
  if (isInFile or isStored[provider]) and not (takesFirst and isTaken) then
    decision = decide(provider, model)
    isTaken = isTaken or decision[1] == 'allowed'
  end
  decisions[#decisions + 1] = decision
end
return {current, previous, decisions}`;

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
