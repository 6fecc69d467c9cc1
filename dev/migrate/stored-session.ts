/**
 * An onboarding session as it is stored (docs/storage-schema.md), for writing one that began elsewhere. The
 * functions themselves only ever start a session now; a test reads what is written here with their code.
 */
import type { UserId } from '../../lib/identity/user-id.ts';
import { type CallStart, unlessErased } from '../../lib/kv/erasure.ts';
import type { Ask } from '../../lib/kv/kv.ts';
import { type StepRecord, sessionKey } from '../../lib/onboarding/session.ts';
import type { PlannedSession } from './plan-user.ts';

/** Field names and values, in order. */
export type StoredSession = readonly (readonly [field: string, value: string])[];

const REVISION = 'migrated';

export function storedForm({ startedAt, doneAt, done }: PlannedSession): StoredSession {
  const record: StepRecord = { v: 1, status: 'completed', doneAt: doneAt.toISOString() };
  return [
    ['startedAt', startedAt.toISOString()],
    ...(done.length > 0 ? [['revision', REVISION] as const] : []),
    ...done.map((id) => [`step:${id}`, JSON.stringify(record)] as const),
  ];
}

/** What the user's session holds: nothing at all, exactly this, or something else. */
export function compareSession(user: UserId, session: StoredSession): Ask<'none' | 'same' | 'other'> {
  const fields = session.map(([field]) => field);
  return {
    commands: 2,
    add(batch) {
      batch.hlen(sessionKey(user)).hmget(sessionKey(user), ...fields);
    },
    read([length, values]) {
      if (Number(length) === 0) return 'none';
      const held: readonly unknown[] = Array.isArray(values) ? values : [];
      const same =
        Number(length) === session.length && session.every(([, value], index) => held[index] === value);
      return same ? 'same' : 'other';
    },
  };
}

/** Writes the whole session at once, unless the user has one or was erased since `start`. */
export function writeSessionIfNone(user: UserId, session: StoredSession, start: CallStart): Ask<void> {
  const script = { script: WRITE_IF_NONE, keys: [sessionKey(user)], args: session.flat() };
  return {
    commands: 1,
    add(batch) {
      batch.eval(...unlessErased(start, script));
    },
    read: () => undefined,
  };
}

/** The last argument is the start. */
const WRITE_IF_NONE = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 1, #ARGV - 1))
return 1`;
