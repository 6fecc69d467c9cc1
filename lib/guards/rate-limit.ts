/**
 * Calls per user and minute, counted in a sliding window made of plain commands, so that counting travels in the
 * request that fetches the keys.
 */
import { z } from 'zod';
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import type { UserData } from '../kv/erasure.ts';
import { ownerKey } from '../kv/key-names.ts';
import { type Kv, storeUnavailable } from '../kv/kv.ts';
import { assertMoved, hasLegacyData } from '../kv/legacy-data.ts';
import {
  combineQueries,
  count,
  optionalCounter,
  type Query,
  query,
  type ScriptedWrite,
  scriptQuery,
} from '../kv/query.ts';
import { CALL_COUNTER_LIFETIME_SECONDS, KEY_CHECKS_SHARE, RATE_WINDOW_SECONDS } from '../limits.ts';

/** What is counted: every call, and those that have a key checked by its provider. */
type Counted = 'calls' | 'checks';

/** The two windows that count at a time, and the KV keys of a user's calls in them. */
export type RateWindow = {
  readonly currentKey: string;
  readonly previousKey: string;
  /** The part of the previous window that is less than a minute ago, 0 to 1. */
  readonly previousWeight: number;
  readonly elapsedSeconds: number;
};

/** How many calls were counted in the two windows, this call included. */
export type CallCounts = { readonly current: number; readonly previous: number };

export function rateWindow(user: UserId, now: Date, counted: Counted = 'calls'): RateWindow {
  const window = windowAt(now);
  const elapsedSeconds = now.getTime() / 1000 - window * RATE_WINDOW_SECONDS;
  return {
    currentKey: counterKey(user, counted, window),
    previousKey: counterKey(user, counted, window - 1),
    previousWeight: 1 - elapsedSeconds / RATE_WINDOW_SECONDS,
    elapsedSeconds,
  };
}

/** Counts one call. Refused calls count too. */
export function countCall({ currentKey, previousKey }: RateWindow): Query<CallCounts> {
  return query(
    (pipeline) =>
      pipeline.incr(currentKey).expire(currentKey, CALL_COUNTER_LIFETIME_SECONDS).get(previousKey),
    callCounts,
  );
}

const callCounts = z
  .tuple([count, count, optionalCounter])
  .transform(([current, , previous]) => ({ current, previous }));

/**
 * Refuses a counted call that is over the limit. The previous window counts by the part of it that is less than a
 * minute ago. Of any number of simultaneous calls in a fresh minute, exactly `limit` pass.
 *
 * @throws Problem `rate_limited` with `Retry-After` and the `RateLimit` fields
 *   (draft-ietf-httpapi-ratelimit-headers).
 */
export function assertWithinRateLimit(counts: CallCounts, window: RateWindow, limit: number): void {
  if (isWithin(counts, window, limit)) return;
  throw new Problem('rate_limited', {
    reason: 'calls_per_minute',
    headers: refusalHeaders('per-user', counts, window, limit),
  });
}

/**
 * Refuses a save or a check that is over the limit of its own, a part of `callsPerMinute`: each has a provider called
 * before any key is known to be good. `window` counts `checks`.
 *
 * @throws Problem `rate_limited`, as `assertWithinRateLimit` does.
 */
export function assertWithinCheckLimit(counts: CallCounts, window: RateWindow, callsPerMinute: number): void {
  const limit = Math.ceil(callsPerMinute * KEY_CHECKS_SHARE);
  if (isWithin(counts, window, limit)) return;
  throw new Problem('rate_limited', {
    reason: 'key_checks_per_minute',
    detail: `You have reached the limit for saving and checking keys (${limit} per minute). Wait and try again.`,
    headers: refusalHeaders('key-checks', counts, window, limit),
  });
}

function isWithin({ current, previous }: CallCounts, { previousWeight }: RateWindow, limit: number): boolean {
  return previous * previousWeight + current <= limit;
}

function refusalHeaders(
  policy: string,
  counts: CallCounts,
  { elapsedSeconds }: RateWindow,
  limit: number,
): Record<string, string> {
  const retryAfterSeconds = secondsUntilFree(counts, elapsedSeconds, limit);
  return {
    'retry-after': String(retryAfterSeconds),
    'ratelimit-policy': `"${policy}";q=${limit};w=${RATE_WINDOW_SECONDS}`,
    ratelimit: `"${policy}";r=0;t=${retryAfterSeconds}`,
  };
}

type CallLimit = { readonly callsPerMinute: number; readonly now: Date };

/**
 * Counts a call and runs a query in the same request.
 *
 * @throws Problem `rate_limited`, `store_outdated`, `store_unavailable`.
 */
export async function admitCall<T>(
  kv: Kv,
  user: UserId,
  asked: Query<T>,
  { callsPerMinute, now }: CallLimit,
): Promise<T> {
  const window = rateWindow(user, now);
  const [counts, isLegacy, result] = await kv.run(
    combineQueries(countCall(window), hasLegacyData(user), asked),
  );
  assertWithinRateLimit(counts, window, callsPerMinute);
  assertMoved(isLegacy);
  return result;
}

/**
 * Counts a call and runs a write in the same script, after the limit has been judged: a refused call changes nothing.
 * Old names are looked for in a request before it, because no script can touch them together with the new ones.
 *
 * @throws Problem `rate_limited`, `store_outdated`, `store_unavailable`.
 */
export async function admitWrite<T>(
  kv: Kv,
  user: UserId,
  write: ScriptedWrite<T>,
  { callsPerMinute, now }: CallLimit,
): Promise<T> {
  const window = rateWindow(user, now);
  assertMoved(await kv.run(hasLegacyData(user)));
  const { counts, result } = await kv.run(judgeFirst(write, window, callsPerMinute));
  assertWithinRateLimit(counts, window, callsPerMinute);
  if (result === undefined) throw storeUnavailable('store_answer_unexpected', 2);
  return result;
}

/** `result` is undefined when the call is over the limit; the write has not run then. */
function judgeFirst<T>(
  { script: { source, keys, args }, answer }: ScriptedWrite<T>,
  { currentKey, previousKey, previousWeight }: RateWindow,
  callsPerMinute: number,
): Query<{ readonly counts: CallCounts; readonly result: T | undefined }> {
  return scriptQuery(
    {
      source: `local function write(KEYS, ARGV)\n${source}\nend\n${JUDGE}`,
      keys: [...keys, previousKey, currentKey],
      args: [...args, String(callsPerMinute), String(previousWeight), String(CALL_COUNTER_LIFETIME_SECONDS)],
    },
    z
      .tuple([count, count])
      .rest(answer)
      .transform(([current, previous, result]) => ({ counts: { current, previous }, result })),
  );
}

/** The keys and arguments of the write come first. */
const JUDGE = `
local previousCalls, currentCalls = KEYS[#KEYS - 1], KEYS[#KEYS]
local callsPerMinute, previousWeight, lifetime = tonumber(ARGV[#ARGV - 2]), tonumber(ARGV[#ARGV - 1]), ARGV[#ARGV]
local current = redis.call('INCR', currentCalls)
redis.call('EXPIRE', currentCalls, lifetime)
local previous = tonumber(redis.call('GET', previousCalls) or '0')
if previous * previousWeight + current > callsPerMinute then return {current, previous} end
return {current, previous, write({unpack(KEYS, 1, #KEYS - 2)}, {unpack(ARGV, 1, #ARGV - 3)})}`;

export const callCountData = counterData('callsInTheLastMinutes', 'calls');
export const checkCountData = counterData('keyChecksInTheLastMinutes', 'checks');

/** A user's counters: of this minute and the one before, and of the next minute for an instance whose clock is ahead. */
function counterData(name: string, counted: Counted): UserData {
  const counterKeys = (user: UserId, now: Date) =>
    [-1, 0, 1].map((offset) => counterKey(user, counted, windowAt(now) + offset));
  return {
    name,
    kvKeys: counterKeys,
    read(user, now) {
      const keys = counterKeys(user, now);
      return query(
        (pipeline) => pipeline.mget(...keys),
        z
          .tuple([z.array(optionalCounter).length(keys.length)])
          .transform(([counts]) => counts.reduce((sum, one) => sum + one, 0)),
      );
    },
  };
}

function counterKey(user: UserId, counted: Counted, window: number): string {
  return ownerKey(user, `${counted}:${window}`);
}

function windowAt(now: Date): number {
  return Math.floor(now.getTime() / 1000 / RATE_WINDOW_SECONDS);
}

/** How long until the next call is within the limit. At least one second. */
function secondsUntilFree({ current, previous }: CallCounts, elapsedSeconds: number, limit: number): number {
  const fitsInThisWindow = current + 1 <= limit;
  const at = fitsInThisWindow
    ? RATE_WINDOW_SECONDS * (1 - (limit - current - 1) / previous)
    : RATE_WINDOW_SECONDS + RATE_WINDOW_SECONDS * Math.max(0, 1 - (limit - 1) / current);
  return Math.max(1, Math.ceil(at - elapsedSeconds));
}
