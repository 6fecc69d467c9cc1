/**
 * Moves onboarding sessions of several users at once. A session that the user has started in the new system is kept.
 *
 * This is the only place that writes a session which started elsewhere, so it writes the stored form itself
 * (docs/storage-schema.md). A test reads the result with the code of the functions.
 */
import { z } from 'zod';
import { subjectOf, type UserId } from '../../lib/identity/user-id.ts';
import { type CallStart, callStart, unlessErased } from '../../lib/kv/erasure.ts';
import { count, optionalTexts, type Query, query, scriptQuery } from '../../lib/kv/query.ts';
import { type StepRecord, sessionKey } from '../../lib/onboarding/session.ts';
import type { Outcome } from './migrate.ts';
import type { Destination } from './move-keys.ts';
import type { Plan, PlannedSession } from './plan-user.ts';
import { runWithRetries } from './run-with-retries.ts';

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
    runWithRetries(
      kv,
      some.map(({ user, stored }) => compareSession(user, stored)),
    );

  const before = await compareAll(sessions);
  const missing = sessions.filter((_, index) => before[index] === 'none');
  const outcomes = sessions.flatMap(({ user: owner }, index): readonly Outcome[] => {
    const user = subjectOf(owner);
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

  await runWithRetries(
    kv,
    missing.map(({ user, stored }) => writeSessionIfNone(user, stored, callStart(user, startedAt))),
  );
  const after = await compareAll(missing);
  const written = missing.map(({ user: owner }, index): Outcome => {
    const user = subjectOf(owner);
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

/** Whether the user has no session, exactly this one, or another one. */
function compareSession(user: UserId, session: StoredSession): Query<'none' | 'same' | 'other'> {
  const fields = session.map(([field]) => field);
  return query(
    (pipeline) => pipeline.hlen(sessionKey(user)).hmget(sessionKey(user), ...fields),
    z.tuple([count, optionalTexts(fields.length)]).transform(([length, values]) => {
      if (length === 0) return 'none';
      const isSame =
        length === session.length && session.every(([, value], index) => values[index] === value);
      return isSame ? 'same' : 'other';
    }),
  );
}

/** Writes the whole session at once, unless the user has one or was erased after `start`. */
function writeSessionIfNone(user: UserId, stored: StoredSession, start: CallStart): Query<unknown> {
  const script = { source: WRITE_IF_NONE, keys: [sessionKey(user)], args: stored.flat() };
  return scriptQuery(unlessErased(start, script), count);
}

/** The arguments are fields and values in turn. The last argument is the start of the call. */
const WRITE_IF_NONE = `
local session, lastField = KEYS[1], #ARGV - 1
if redis.call('EXISTS', session) == 1 then return 0 end
redis.call('HSET', session, unpack(ARGV, 1, lastField))
return 1`;
