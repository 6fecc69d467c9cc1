/** Moves everything from a source into KV, in batches of users. An interrupted run is continued by the next one. */
import { Problem } from '../../lib/errors.ts';
import { subjectOf } from '../../lib/identity/user-id.ts';
import type { StepDefinition } from '../../lib/onboarding/onboarding-steps.ts';
import { type Destination, moveKeys } from './move-keys.ts';
import { moveSessions } from './move-sessions.ts';
import type { Source } from './old-system.ts';
import { type Plan, planUser } from './plan-user.ts';

/** Keeps a KV request well under a thousand commands, and little is lost when a request fails. */
const BATCH_USERS = 50;
/** How many users are named for each reason. */
const MAX_EXAMPLES = 3;

type Result = 'moved' | 'already there' | 'skipped' | 'failed';

/** The result for one key or one session. */
export type Outcome = {
  readonly what: 'key' | 'session';
  /** The `sub`. */
  readonly user: string;
  readonly result: Result;
  /** Why it was skipped or failed: a fixed text, so that it cannot contain a part of a key. */
  readonly reason?: string;
};

export type Tally = {
  readonly counts: Readonly<Record<Outcome['what'], Readonly<Record<Result, number>>>>;
  /** For each reason how often it was given, and some of the users. */
  readonly reasons: ReadonlyMap<string, { readonly count: number; readonly users: readonly string[] }>;
};

export type Migration = {
  readonly source: Source;
  readonly destination: Destination;
  /** The tenant of the deployment's users. */
  readonly tenant: string;
  readonly steps: readonly StepDefinition[];
  /** False: nothing is written, and `moved` counts what would be. */
  readonly apply: boolean;
  readonly onProgress: (usersDone: number) => void;
};

/** Moves what is missing. Can be interrupted at any point and repeated. */
export async function migrate({
  source,
  destination,
  tenant,
  steps,
  apply,
  onProgress,
}: Migration): Promise<Tally> {
  const tally = createTally();
  let plans: Plan[] = [];
  let usersDone = 0;

  const flush = async (): Promise<void> => {
    for (const outcome of await moveBatch(destination, plans, apply)) tally.add(outcome);
    plans = [];
    onProgress(usersDone);
  };

  for await (const old of source.users()) {
    const { plan, notMoved } = planUser(old, { tenant, steps }, destination.startedAt);
    for (const outcome of notMoved) tally.add(outcome);
    if (plan !== undefined) plans.push(plan);
    usersDone += 1;
    if (plans.length === BATCH_USERS) await flush();
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
        user: subjectOf(user),
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

function createTally(): { add(outcome: Outcome): void; read(): Tally } {
  const zero = () => ({ moved: 0, 'already there': 0, skipped: 0, failed: 0 });
  const counts = { key: zero(), session: zero() };
  const reasons = new Map<string, { count: number; users: string[] }>();
  return {
    add({ what, user, result, reason }) {
      counts[what][result] += 1;
      if (reason === undefined) return;
      const title = `${what} ${result}: ${reason}`;
      const entry = reasons.get(title) ?? { count: 0, users: [] };
      entry.count += 1;
      if (entry.users.length < MAX_EXAMPLES && !entry.users.includes(user)) entry.users.push(user);
      reasons.set(title, entry);
    },
    read: () => ({ counts, reasons }),
  };
}
