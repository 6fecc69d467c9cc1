/** Moves onboarding sessions of several users at once. One that a user has begun in the new system stays. */
import { callStart } from '../../lib/kv/erasure.ts';
import { askTogether } from './ask-together.ts';
import type { Destination } from './move-keys.ts';
import type { Outcome } from './outcome.ts';
import type { Plan } from './plan-user.ts';
import { compareSession, storedForm, writeSessionIfNone } from './stored-session.ts';

/** Nothing at all is written unless `apply`. */
export async function moveSessions(
  { kv, begun }: Pick<Destination, 'kv' | 'begun'>,
  plans: readonly Plan[],
  apply: boolean,
): Promise<readonly Outcome[]> {
  const sessions = plans.flatMap(({ user, session }) =>
    session === undefined ? [] : [{ user, stored: storedForm(session) }],
  );
  const look = (some: typeof sessions) =>
    askTogether(
      kv,
      some.map(({ user, stored }) => compareSession(user, stored)),
    );

  const before = await look(sessions);
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

  await askTogether(
    kv,
    await Promise.all(
      missing.map(async ({ user, stored }) => writeSessionIfNone(user, stored, await callStart(user, begun))),
    ),
  );
  const after = await look(missing);
  const written = missing.map(({ user }, index): Outcome => {
    if (after[index] === 'same') return { what: 'session', user, result: 'moved' };
    if (after[index] === 'other') {
      return { what: 'session', user, result: 'skipped', reason: 'the user has begun a newer one' };
    }
    return { what: 'session', user, result: 'skipped', reason: 'the user has been erased meanwhile' };
  });
  return [...outcomes, ...written];
}
