/**
 * Calls per user and minute, as a sliding window out of plain commands, so that counting travels in the
 * request that fetches the keys.
 */
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import type { Ask } from '../kv/kv.ts';
import type { UserData } from '../kv/user-data.ts';

const WINDOW_SECONDS = 60;
/** The window before the current one still weighs in, so a counter lives for two. */
export const COUNTER_LIFETIME_SECONDS = 2 * WINDOW_SECONDS;

/** The two windows that count at a time, and the KV keys of a user's calls in them. */
export type RateWindow = {
  readonly currentKey: string;
  readonly previousKey: string;
  /** The part of the window before the current one that is less than a minute ago. */
  readonly previousWeight: number;
  readonly elapsedSeconds: number;
};

export function rateWindow(user: UserId, now: Date): RateWindow {
  const window = windowAt(now);
  const elapsedSeconds = now.getTime() / 1000 - window * WINDOW_SECONDS;
  return {
    currentKey: counterKey(user, window),
    previousKey: counterKey(user, window - 1),
    previousWeight: 1 - elapsedSeconds / WINDOW_SECONDS,
    elapsedSeconds,
  };
}

/**
 * Counts one call and says whether it is within the limit. The window before the current one counts by the
 * part of it that is less than a minute ago. Of any number of calls at the same time in a fresh minute,
 * exactly `limit` pass. Refused calls count too.
 *
 * @throws (on reading) Problem `rate_limited` with `Retry-After` and the `RateLimit` fields
 *   (draft-ietf-httpapi-ratelimit-headers).
 */
export function countCall(user: UserId, limit: number, now: Date): Ask<void> {
  const window = rateWindow(user, now);
  return {
    commands: 3,
    add(batch) {
      batch
        .incr(window.currentKey)
        .expire(window.currentKey, COUNTER_LIFETIME_SECONDS)
        .get(window.previousKey);
    },
    read([current, , previous]) {
      judgeCount(Number(current), Number(previous ?? 0), window, limit);
    },
  };
}

/** @throws Problem `rate_limited` when a call that has been counted is over the limit. */
export function judgeCount(count: number, before: number, window: RateWindow, limit: number): void {
  if (before * window.previousWeight + count <= limit) return;
  throw limited(limit, secondsUntilFree(count, before, window.elapsedSeconds, limit));
}

/** A user's counters: of this minute and the one before, and of the next for a clock that is behind. */
export const callCountData: UserData = {
  name: 'callsInTheLastMinutes',
  kvKeys: counterKeys,
  read(user, now) {
    const keys = counterKeys(user, now);
    return {
      commands: 1,
      add(batch) {
        batch.mget(...keys);
      },
      read: ([counts]) =>
        Array.isArray(counts) ? counts.reduce((sum: number, count) => sum + Number(count ?? 0), 0) : 0,
    };
  },
};

function counterKeys(user: UserId, now: Date): readonly string[] {
  return [-1, 0, 1].map((offset) => counterKey(user, windowAt(now) + offset));
}

function counterKey(user: UserId, window: number): string {
  return `userkeys:calls:${window}:${user}`;
}

function windowAt(now: Date): number {
  return Math.floor(now.getTime() / 1000 / WINDOW_SECONDS);
}

/** How long to stay silent until the next call is within the limit. At least one second. */
function secondsUntilFree(count: number, before: number, elapsedSeconds: number, limit: number): number {
  const fitsInThisWindow = count + 1 <= limit;
  const at = fitsInThisWindow
    ? WINDOW_SECONDS * (1 - (limit - count - 1) / before)
    : WINDOW_SECONDS + WINDOW_SECONDS * Math.max(0, 1 - (limit - 1) / count);
  return Math.max(1, Math.ceil(at - elapsedSeconds));
}

function limited(limit: number, retryAfterSeconds: number): Problem {
  return new Problem('rate_limited', {
    headers: {
      'retry-after': String(retryAfterSeconds),
      'ratelimit-policy': `"per-user";q=${limit};w=${WINDOW_SECONDS}`,
      ratelimit: `"per-user";r=0;t=${retryAfterSeconds}`,
    },
  });
}
