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
  /** The KV key of the user's mark. Scripts take it among their `KEYS`. */
  readonly markKey: string;
  /** When the call began, in milliseconds since 1970. Scripts take it among their `ARGV`. */
  readonly atMs: number;
};

/** To be made when a call begins, before it reads or waits for anything. */
export async function callStart(user: UserId, now: Date): Promise<CallStart> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`userkeys/erased/1/${user}`));
  const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { markKey: `userkeys:erased:${hex}`, atMs: now.getTime() };
}

/**
 * The beginning of a script whose last key is the mark and whose last argument is the call's start: it returns -2,
 * before anything is written, when the user was erased since the call began.
 */
export const STOP_IF_ERASED = `
local erasedAt = redis.call('HGET', KEYS[#KEYS], 'at')
if erasedAt and tonumber(erasedAt) >= tonumber(ARGV[#ARGV]) then return -2 end
`;

/**
 * A write about a user that happens after their call was answered: not at all when the user was erased since
 * the call began. `script` is Lua and sees `keys` and `args` from index 1.
 */
export function lateWrite(
  start: CallStart,
  write: { readonly script: string; readonly keys: readonly string[]; readonly args: readonly string[] },
): Ask<void> {
  return {
    commands: 1,
    add(batch) {
      batch.eval(
        STOP_IF_ERASED + write.script,
        [...write.keys, start.markKey],
        [...write.args, String(start.atMs)],
      );
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
