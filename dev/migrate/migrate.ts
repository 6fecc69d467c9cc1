/** Everything of a source into KV, some users at a time. Where it stopped, it goes on: what is there is found there. */
import { Problem } from '../../lib/errors.ts';
import type { StepDefinition } from '../../lib/onboarding/onboarding-steps.ts';
import { type Destination, moveKeys } from './move-keys.ts';
import { moveSessions } from './move-sessions.ts';
import type { Source } from './old-user.ts';
import { createTally, type Outcome, type Tally } from './outcome.ts';
import { type Plan, planUser } from './plan-user.ts';

/** Keeps a KV request well under a thousand commands, and what is lost to a failed one small. */
const USERS_AT_A_TIME = 50;

export type Migration = {
  readonly source: Source;
  readonly destination: Destination;
  readonly steps: readonly StepDefinition[];
  /** False: nothing is written, and `moved` counts what would be. */
  readonly apply: boolean;
  readonly onProgress: (usersDone: number) => void;
};

/** Moves what is missing and gives what became of each key and session. Safe to stop at any point and to repeat. */
export async function migrate({ source, destination, steps, apply, onProgress }: Migration): Promise<Tally> {
  const tally = createTally();
  let plans: Plan[] = [];
  let usersDone = 0;

  const flush = async (): Promise<void> => {
    for (const outcome of await moveBatch(destination, plans, apply)) tally.add(outcome);
    plans = [];
    onProgress(usersDone);
  };

  for await (const old of source.users()) {
    const { plan, left } = planUser(old, steps, destination.begun);
    for (const outcome of left) tally.add(outcome);
    if (plan !== undefined) plans.push(plan);
    usersDone += 1;
    if (plans.length === USERS_AT_A_TIME) await flush();
  }
  await flush();
  return tally.read();
}

async function moveBatch(
  destination: Destination,
  plans: readonly Plan[],
  apply: boolean,
): Promise<readonly Outcome[]> {
  try {
    const keys = await moveKeys(destination, plans, apply);
    return [...keys, ...(await moveSessions(destination, plans, apply))];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return plans.flatMap(({ user, keys, session }) => {
      const failed = {
        user,
        result: 'failed',
        reason: 'the key store did not answer; run this again',
      } as const;
      return [
        ...keys.map(() => ({ what: 'key', ...failed }) as const),
        ...(session === undefined ? [] : [{ what: 'session', ...failed } as const]),
      ];
    });
  }
}
