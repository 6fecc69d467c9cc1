/**
 * Moves onboarding sessions of several users at once. A session that the user has started in the new system is kept.
 *
 * This is the only place that writes a session which started elsewhere, so it writes the stored form itself
 * (docs/storage-schema.md). A test reads the result with the code of the functions.
 */
import { z } from 'zod';
import type { UserId } from '../../lib/identity/user-id.ts';
import { type CallStart, callStart, unlessErased } from '../../lib/kv/erasure-mark.ts';
import type { Ask } from '../../lib/kv/kv.ts';
import { type StepRecord, sessionKey } from '../../lib/onboarding/session.ts';
import { parseStored } from '../stored-answer.ts';
import { askWithRetries } from './ask-with-retries.ts';
import type { Outcome } from './migrate.ts';
import type { Destination } from './move-keys.ts';
import type { Plan, PlannedSession } from './plan-user.ts';

/** Field names and values of the session's hash, in order. */
type StoredSession = readonly (readonly [field: string, value: string])[];

const REVISION = 'migrated';

/** Writes nothing unless `apply`. */
export async function moveSessions(
  { kv, startedAt }: Pick<Destination, 'kv' | 'startedAt'>,
  plans: readonly Plan[],
  apply: boolean,
): Promise<readonly Outcome[]> {
  const sessions = plans.flatMap(({ user, session }) =>
    session === undefined ? [] : [{ user, stored: toStored(session) }],
  );
  const compareAll = (some: typeof sessions) =>
    askWithRetries(
      kv,
      some.map(({ user, stored }) => compareSession(user, stored)),
    );

  const before = await compareAll(sessions);
  const missing = sessions.filter((_, index) => before[index] === 'none');
  const outcomes = sessions.flatMap(({ user }, index): readonly Outcome[] => {
    switch (before[index]) {
      case 'same':
        return [{ what: 'session', user, result: 'already there' }];
      case 'other':
        return [{ what: 'session', user, result: 'skipped', reason: 'the user has begun a newer one' }];
      default:
        return apply ? [] : [{ what: 'session', user, result: 'moved' }];
    }
  });
  if (!apply) return outcomes;

  await askWithRetries(
    kv,
    await Promise.all(
      missing.map(async ({ user, stored }) =>
        writeSessionIfNone(user, stored, await callStart(user, startedAt)),
      ),
    ),
  );
  const after = await compareAll(missing);
  const written = missing.map(({ user }, index): Outcome => {
    if (after[index] === 'same') return { what: 'session', user, result: 'moved' };
    if (after[index] === 'other') {
      return { what: 'session', user, result: 'skipped', reason: 'the user has begun a newer one' };
    }
    return { what: 'session', user, result: 'skipped', reason: 'the user has been erased meanwhile' };
  });
  return [...outcomes, ...written];
}

function toStored({ startedAt, doneAt, done }: PlannedSession): StoredSession {
  const record: StepRecord = { v: 1, status: 'completed', doneAt: doneAt.toISOString() };
  return [
    ['startedAt', startedAt.toISOString()],
    ...(done.length > 0 ? [['revision', REVISION] as const] : []),
    ...done.map((id) => [`step:${id}`, JSON.stringify(record)] as const),
  ];
}

const storedValues = z.array(z.string().nullable());

/** Whether the user has no session, exactly this one, or another one. */
function compareSession(user: UserId, session: StoredSession): Ask<'none' | 'same' | 'other'> {
  const fields = session.map(([field]) => field);
  return {
    commands: 2,
    add(batch) {
      batch.hlen(sessionKey(user)).hmget(sessionKey(user), ...fields);
    },
    read([storedLength, stored]) {
      const length = parseStored(z.number(), storedLength);
      if (length === 0) return 'none';
      const values = parseStored(storedValues, stored);
      const isSame =
        length === session.length && session.every(([, value], index) => values[index] === value);
      return isSame ? 'same' : 'other';
    },
  };
}

/** Writes the whole session at once, unless the user has one or was erased after `start`. */
function writeSessionIfNone(user: UserId, session: StoredSession, start: CallStart): Ask<void> {
  const script = { script: WRITE_IF_NONE, keys: [sessionKey(user)], args: session.flat() };
  return {
    commands: 1,
    add(batch) {
      batch.eval(...unlessErased(start, script));
    },
    read: () => undefined,
  };
}

/** KEYS[1]: the session. ARGV: fields and values in turn; the last argument is the start and is not a field. */
const WRITE_IF_NONE = `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 1, #ARGV - 1))
return 1`;
