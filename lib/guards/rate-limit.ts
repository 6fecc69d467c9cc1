/**
 * Calls per user and minute, counted in a sliding window made of plain commands, so that counting travels in the
 * request that fetches the keys.
 */
import { z } from 'zod';
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import type { UserData } from '../kv/erasure.ts';
import { ownerKey } from '../kv/key-names.ts';
import type { Kv } from '../kv/kv.ts';
import { assertMoved, hasLegacyData } from '../kv/legacy-data.ts';
import { combineQueries, count, optionalCounter, type Query, query } from '../kv/query.ts';
import { CALL_COUNTER_LIFETIME_SECONDS, RATE_WINDOW_SECONDS } from '../limits.ts';

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

export function rateWindow(user: UserId, now: Date): RateWindow {
  const window = windowAt(now);
  const elapsedSeconds = now.getTime() / 1000 - window * RATE_WINDOW_SECONDS;
  return {
    currentKey: counterKey(user, window),
    previousKey: counterKey(user, window - 1),
    previousWeight: 1 - elapsedSeconds / RATE_WINDOW_SECONDS,
    elapsedSeconds,
  };
}

/** Counts one call. Refused calls count too. */
export function countCall({ currentKey, previousKey }: RateWindow): Query<CallCounts> {
  return query(
    (pipeline) =>
      pipeline.incr(currentKey).expire(currentKey, CALL_COUNTER_LIFETIME_SECONDS).get(previousKey),
    z.tuple([count, count, optionalCounter]).transform(([current, , previous]) => ({ current, previous })),
  );
}

/**
 * Refuses a counted call that is over the limit. The previous window counts by the part of it that is less than a
 * minute ago. Of any number of simultaneous calls in a fresh minute, exactly `limit` pass.
 *
 * @throws Problem `rate_limited` with `Retry-After` and the `RateLimit` fields
 *   (draft-ietf-httpapi-ratelimit-headers).
 */
export function assertWithinRateLimit(
  { current, previous }: CallCounts,
  window: RateWindow,
  limit: number,
): void {
  if (previous * window.previousWeight + current <= limit) return;
  const retryAfterSeconds = secondsUntilFree({ current, previous }, window.elapsedSeconds, limit);
  throw new Problem('rate_limited', {
    reason: 'calls_per_minute',
    headers: {
      'retry-after': String(retryAfterSeconds),
      'ratelimit-policy': `"per-user";q=${limit};w=${RATE_WINDOW_SECONDS}`,
      ratelimit: `"per-user";r=0;t=${retryAfterSeconds}`,
    },
  });
}

/**
 * Counts a call and runs a query in the same request.
 *
 * @throws Problem `rate_limited`, `store_outdated`, `store_unavailable`.
 */
export async function admitCall<T>(
  kv: Kv,
  user: UserId,
  asked: Query<T>,
  { callsPerMinute, now }: { readonly callsPerMinute: number; readonly now: Date },
): Promise<T> {
  const window = rateWindow(user, now);
  const [counts, isLegacy, result] = await kv.run(
    combineQueries(countCall(window), hasLegacyData(user), asked),
  );
  assertWithinRateLimit(counts, window, callsPerMinute);
  assertMoved(isLegacy);
  return result;
}

/** A user's counters: of this minute and the one before, and of the next minute for an instance whose clock is ahead. */
export const callCountData: UserData = {
  name: 'callsInTheLastMinutes',
  kvKeys: counterKeys,
  read(user, now) {
    const keys = counterKeys(user, now);
    return query(
      (pipeline) => pipeline.mget(...keys),
      z
        .tuple([z.array(optionalCounter).length(keys.length)])
        .transform(([counts]) => counts.reduce((sum, counted) => sum + counted, 0)),
    );
  },
};

function counterKeys(user: UserId, now: Date): readonly string[] {
  return [-1, 0, 1].map((offset) => counterKey(user, windowAt(now) + offset));
}

function counterKey(user: UserId, window: number): string {
  return ownerKey(user, `calls:${window}`);
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
