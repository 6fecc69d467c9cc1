/**
 * The mark that an erased user leaves for a quarter of an hour, so that what was under way when they left writes
 * nothing about them afterwards. It names nobody: a digest of the user's id, and a time.
 */
import type { UserId } from '../identity/user-id.ts';
import type { Ask } from './kv.ts';

/** Longer than the longest invocation, 800 seconds on Vercel. */
export const MARK_LIFETIME_SECONDS = 15 * 60;

/** What a write needs in order to stay out after an erasure. */
export type CallStart = {
  /** The KV key of the user's mark. */
  readonly markKey: string;
  /** When the call began, in milliseconds since 1970. */
  readonly atMs: number;
};

/** To be made when a call begins, before it reads or waits for anything. */
export async function callStart(user: UserId, now: Date): Promise<CallStart> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`userkeys/erased/1/${user}`));
  const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { markKey: `userkeys:erased:${hex}`, atMs: now.getTime() };
}

type Script = {
  /** Lua. Sees `keys` and `args` from index 1. */
  readonly script: string;
  readonly keys: readonly string[];
  readonly args: readonly string[];
};

/** What a script returns that was stopped. */
export const ERASED = -2;

/** The beginning of a script whose last key is the mark and whose last argument is the start. */
export const STOP_IF_ERASED = `
local erasedAt = redis.call('HGET', KEYS[#KEYS], 'at')
if erasedAt and tonumber(erasedAt) >= tonumber(ARGV[#ARGV]) then return ${ERASED} end
`;

/**
 * The arguments of `batch.eval` for a script that is not run, and returns `ERASED` in its place, when the user was
 * erased since the call began. Without a start it always runs.
 */
export function unlessErased(
  start: CallStart | undefined,
  { script, keys, args }: Script,
): [script: string, keys: string[], args: string[]] {
  if (start === undefined) return [script, [...keys], [...args]];
  return [STOP_IF_ERASED + script, [...keys, start.markKey], [...args, String(start.atMs)]];
}

/**
 * A write about a user that happens after their call was answered: not at all when the user was erased since the
 * call began.
 */
export function lateWrite(start: CallStart, write: Script): Ask<void> {
  return {
    commands: 1,
    add(batch) {
      batch.eval(...unlessErased(start, write));
    },
    read: () => undefined,
  };
}

/** Leaves the mark. Calls that began before now write nothing about the user any more. */
export function markErased({ markKey, atMs }: CallStart): Ask<void> {
  return {
    commands: 3,
    add(batch) {
      batch
        .hset(markKey, { at: String(atMs) })
        .hincrby(markKey, 'times', 1)
        .expire(markKey, MARK_LIFETIME_SECONDS);
    },
    read: () => undefined,
  };
}

/** How often the user was erased in the last quarter of an hour. */
export function countErasures({ markKey }: CallStart): Ask<number> {
  return {
    commands: 1,
    add(batch) {
      batch.hget(markKey, 'times');
    },
    read: ([times]) => Number(times ?? 0),
  };
}
