/**
 * Erases a user. A mark of the erasure is kept for 15 minutes under the user's id, so that calls that were in progress
 * write nothing about the user afterwards.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import { ERASURE_MARK_LIFETIME_SECONDS, MAX_SCRIPT_COUNT } from '../limits.ts';
import { ownerKey } from './key-names.ts';
import type { Kv } from './kv.ts';
import { count, optionalCounter, type Query, query, type Script } from './query.ts';

/** One kind of data that the store holds about a user. lib/account/account-data.ts lists every kind. */
export type UserData = {
  /** The member of the export that holds it. */
  readonly name: string;
  /** Every KV key it can be stored under at that time, whether the key exists or not. */
  kvKeys(user: UserId, now: Date): readonly string[];
} & (
  | {
      /** What is stored, without any key of a provider. Reads only: it creates nothing. */
      read(user: UserId, now: Date): Query<unknown>;
    }
  | {
      /** The same, where one answer of the store could be too large. */
      readInParts(kv: Kv, user: UserId, now: Date): Promise<unknown>;
    }
);

/** When a call began, for scripts that must not write after an erasure. */
export type CallStart = {
  /** The KV key of the user's mark. */
  readonly markKey: string;
  /** In milliseconds since 1970. */
  readonly atMs: number;
};

/** Must be made when a call begins, before it reads or waits for anything. */
export function callStart(user: UserId, now: Date): CallStart {
  return { markKey: ownerKey(user, 'erased'), atMs: now.getTime() };
}

/** What a script returns when it was stopped because the user had been erased. */
export const ERASED = -2;

/** The first lines of a script whose last key is the mark and whose last argument is the start of the call. */
export const STOP_IF_ERASED = `
local erasedAt = redis.call('HGET', KEYS[#KEYS], 'at')
if erasedAt and tonumber(erasedAt) >= tonumber(ARGV[#ARGV]) then return ${ERASED} end
`;

const withCheck = new Map<string, string>();

/** Made once for each script: a text that is put together anew has to be hashed anew, to find its SHA-1. */
function checkFirst(source: string): string {
  const known = withCheck.get(source);
  if (known !== undefined) return known;
  const checked = STOP_IF_ERASED + source;
  if (withCheck.size < MAX_SCRIPT_COUNT) withCheck.set(source, checked);
  return checked;
}

/**
 * The script, preceded by a check: it does nothing and returns `ERASED` when the user was erased since the call began.
 * Without a start it always runs.
 */
export function unlessErased(start: CallStart | undefined, { source, keys, args }: Script): Script {
  if (start === undefined) return { source, keys, args };
  return {
    source: checkFirst(source),
    keys: [...keys, start.markKey],
    args: [...args, String(start.atMs)],
  };
}

/** Leaves the mark. From now on calls that began earlier write nothing about the user. */
export function markErased({ markKey, atMs }: CallStart): Query<unknown> {
  return query(
    (pipeline) =>
      pipeline
        .hset(markKey, { at: String(atMs) })
        .hincrby(markKey, 'times', 1)
        .expire(markKey, ERASURE_MARK_LIFETIME_SECONDS),
    z.tuple([count, count, count]),
  );
}

/** How often the user was erased in the last quarter of an hour. */
export function countErasures({ markKey }: CallStart): Query<number> {
  return query(
    (pipeline) => pipeline.hget(markKey, 'times'),
    z.tuple([optionalCounter]).transform(([times]) => times),
  );
}
