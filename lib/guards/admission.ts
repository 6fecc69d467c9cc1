/**
 * Letting a call use a key: counted against the rate limit, and against the day limit of the key it will use, in one
 * script, so that of any number of calls at the same time exactly as many pass as the user has said.
 */
import type { UserId } from '../identity/user-id.ts';
import type { Ask } from '../kv/kv.ts';
import type { LateWrite } from '../kv/deferred-writes.ts';
import { COUNTER_LIFETIME_SECONDS, judgeCount, rateWindow } from './rate-limit.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { recordsKey } from '../vault/records.ts';
import { dayOf, guardsKey, readModels, spentKey } from './stored-guards.ts';

export type Wanted = {
  readonly provider: ProviderId;
  /**
   * The model it is wanted for; undefined: not known yet, or up to code that asks for the key, so that only
   * `models` of the standing tells; null: no model at all, which a key with allowed models does not serve.
   */
  readonly model?: string | null | undefined;
  /** There is a key for it outside of KV, in `.env`. */
  readonly isHeld: boolean;
};

/** Whether a key may be used, or why not. `missing`: no such key, or an earlier one of the list was taken. */
export type Standing = {
  readonly verdict:
    | 'open'
    | 'missing'
    | 'key_paused'
    | 'key_expired'
    | 'model_not_allowed'
    | 'daily_limit_reached';
  /** The models the key is for, where its user has named them. */
  readonly models: readonly string[] | undefined;
  readonly callsPerDay: number | undefined;
  /** This call was counted against the key's day. */
  readonly isCounted: boolean;
};

/**
 * `first` opens the first of the wanted keys that may be used, and counts the call for that one alone; `each` opens
 * every one that may be used, and counts it for those that have a day limit. A call over the rate limit counts for
 * no key.
 *
 * @throws (on reading) Problem `rate_limited`.
 */
export function admitUse(
  user: UserId,
  wanted: readonly Wanted[],
  take: 'first' | 'each',
  limit: { readonly callsPerMinute: number; readonly now: Date },
): Ask<ReadonlyMap<ProviderId, Standing>> {
  const window = rateWindow(user, limit.now);
  return {
    commands: 1,
    add(batch) {
      batch.eval(
        ADMIT,
        [window.currentKey, window.previousKey, recordsKey(user), guardsKey(user), spentKey(user)],
        [
          ...[String(limit.callsPerMinute), String(window.previousWeight), String(COUNTER_LIFETIME_SECONDS)],
          ...[dayOf(limit.now), String(limit.now.getTime()), String(DAY_COUNT_LIFETIME_SECONDS), take],
          ...wanted.flatMap(({ provider, model, isHeld }) => [
            provider,
            model === null ? NO_MODEL : (model ?? ''),
            isHeld ? '1' : '',
          ]),
        ],
      );
    },
    read([result]) {
      const [count, previous, ...standings] = Array.isArray(result) ? result : [];
      judgeCount(Number(count), Number(previous), window, limit.callsPerMinute);
      return new Map(wanted.map(({ provider }, index) => [provider, toStanding(standings[index])] as const));
    },
  };
}

/** Two days, so that a count outlives its day wherever the clocks of two instances stand. */
const DAY_COUNT_LIFETIME_SECONDS = 2 * 24 * 60 * 60;
/** No name of a model: those begin with a letter or a digit. */
const NO_MODEL = '-';

const VERDICTS: ReadonlyMap<unknown, Standing['verdict']> = new Map([
  ['open', 'open'],
  ['paused', 'key_paused'],
  ['expired', 'key_expired'],
  ['model', 'model_not_allowed'],
  ['spent', 'daily_limit_reached'],
]);

function toStanding(answer: unknown): Standing {
  const [verdict, models, callsPerDay, isCounted] = Array.isArray(answer) ? answer : [];
  return {
    verdict: VERDICTS.get(verdict) ?? 'missing',
    models: typeof models === 'string' && models !== '' ? readModels(models) : undefined,
    callsPerDay: typeof callsPerDay === 'string' && callsPerDay !== '' ? Number(callsPerDay) : undefined,
    isCounted: Number(isCounted) === 1,
  };
}

/** A day that has begun does not end again when an instance with a slower clock comes along. */
const ADMIT = `
local count = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
local before = tonumber(redis.call('GET', KEYS[2]) or '0')
local answer = {count, before}
if before * tonumber(ARGV[2]) + count > tonumber(ARGV[1]) then return answer end

local first = ARGV[7] == 'first'
local guarded = redis.call('EXISTS', KEYS[4]) == 1
local stored = {}
for _, provider in ipairs(redis.call('HKEYS', KEYS[3])) do stored[provider] = true end

local function spentToday(provider)
  local day = redis.call('HGET', KEYS[5], 'day')
  if not day or day < ARGV[4] then
    redis.call('DEL', KEYS[5])
    redis.call('HSET', KEYS[5], 'day', ARGV[4])
  end
  return tonumber(redis.call('HGET', KEYS[5], provider) or '0')
end
local function standing(provider, model)
  if not guarded and not first then return {'open', '', '', 0} end
  local name = provider .. ':'
  local guards = {false, false, false, false}
  if guarded then
    guards = redis.call('HMGET', KEYS[4], name .. 'paused', name .. 'expiresAt', name .. 'models', name .. 'callsPerDay')
  end
  local models, perDay = guards[3] or '', guards[4] or ''
  if guards[1] then return {'paused', models, perDay, 0} end
  if guards[2] and tonumber(guards[2]) <= tonumber(ARGV[5]) then return {'expired', models, perDay, 0} end
  if models ~= '' and model ~= '' and not string.find(' ' .. models .. ' ', ' ' .. model .. ' ', 1, true) then
    return {'model', models, perDay, 0}
  end
  if not first and perDay == '' then return {'open', models, perDay, 0} end
  local spent = spentToday(provider)
  if perDay ~= '' and spent >= tonumber(perDay) then return {'spent', models, perDay, 0} end
  redis.call('HINCRBY', KEYS[5], provider, 1)
  redis.call('EXPIRE', KEYS[5], ARGV[6])
  return {'open', models, perDay, 1}
end

local taken = false
for i = 8, #ARGV, 3 do
  local found = {'missing'}
  if (ARGV[i + 2] == '1' or stored[ARGV[i]]) and not (first and taken) then
    found = standing(ARGV[i], ARGV[i + 1])
    taken = taken or found[1] == 'open'
  end
  answer[#answer + 1] = found
end
return answer`;

/** Takes a call off the day's count of keys that it was counted for and did not use. */
export function giveBack(user: UserId, providers: readonly ProviderId[], now: Date): LateWrite {
  return { script: GIVE_BACK, keys: [spentKey(user)], args: [dayOf(now), ...providers] };
}

const GIVE_BACK = `
if redis.call('HGET', KEYS[1], 'day') ~= ARGV[1] then return 0 end
for i = 2, #ARGV do
  if tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0') > 0 then redis.call('HINCRBY', KEYS[1], ARGV[i], -1) end
end
return 1`;
