/** Decides which keys and which session of an old user are moved. Pure: no store, and the time is a parameter. */
import { isSubject, toUserId, type UserId } from '../../lib/identity/user-id.ts';
import { saveKeyBody } from '../../lib/keys/save-key-body.ts';
import type { StepDefinition } from '../../lib/onboarding/onboarding-steps.ts';
import { catalogue, type ProviderId } from '../../lib/providers/catalogue.ts';
import { Secret } from '../../lib/secret.ts';
import type { Outcome } from './migrate.ts';
import type { OldKey, OldSession, OldUser } from './old-system.ts';

export type PlannedKey = {
  readonly provider: ProviderId;
  readonly key: Secret;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

export type PlannedSession = {
  readonly startedAt: Date;
  readonly doneAt: Date;
  /** Ids of the steps that are done. */
  readonly done: readonly string[];
};

export type Plan = {
  readonly user: UserId;
  readonly keys: readonly PlannedKey[];
  readonly session: PlannedSession | undefined;
};

type NotMoved = { readonly result: 'skipped' | 'failed'; readonly reason: string };

/** Names for a provider in the old system, besides its id, its name and its variables. */
const ALIASES: readonly (readonly [string, ProviderId])[] = [
  ['google', 'gemini'],
  ['claude', 'anthropic'],
  ['grok', 'xai'],
  ['hf', 'huggingface'],
];
const PROVIDERS: ReadonlyMap<string, ProviderId> = new Map([
  ...catalogue.flatMap(({ id, name, variables }) =>
    [id, name, ...variables].map((title) => [title.toLowerCase(), id] as const),
  ),
  ...ALIASES,
]);

/**
 * The plan has the newest key of each provider and the session with the most progress; `notMoved` has an outcome
 * for everything else. The plan is undefined for a user id that the new system does not allow.
 */
export function planUser(
  old: OldUser,
  { tenant, steps }: { readonly tenant: string; readonly steps: readonly StepDefinition[] },
  now: Date,
): { readonly plan: Plan | undefined; readonly notMoved: readonly Outcome[] } {
  const { user, keys, sessions } = old;
  if (!isSubject(user)) {
    const reason =
      user === undefined ? 'no owner' : 'the user’s id is not 1 to 255 printable ASCII characters';
    const fail = (what: Outcome['what']) => (): Outcome => ({
      what,
      user: '(none)',
      result: 'failed',
      reason,
    });
    return { plan: undefined, notMoved: [...keys.map(fail('key')), ...sessions.map(fail('session'))] };
  }
  const notMoved: Outcome[] = [];
  const planned = new Map<ProviderId, PlannedKey>();
  for (const key of keys.toSorted((a, b) => timeOf(b) - timeOf(a))) {
    const read = readKey(key, now);
    if ('reason' in read) notMoved.push({ what: 'key', user, ...read });
    else if (planned.has(read.provider)) {
      notMoved.push({
        what: 'key',
        user,
        result: 'skipped',
        reason: 'the user has a newer key of this provider',
      });
    } else planned.set(read.provider, read);
  }
  const [furthest, ...others] = sessions.toSorted(byProgress);
  for (const _ of others) {
    notMoved.push({
      what: 'session',
      user,
      result: 'skipped',
      reason: 'the user has one that is further on',
    });
  }
  const session = furthest && readSession(furthest, steps);
  if (furthest && !session) {
    notMoved.push({ what: 'session', user, result: 'failed', reason: 'it has no start' });
  }
  return { plan: { user: toUserId(tenant, user), keys: [...planned.values()], session }, notMoved };
}

const NOT_A_KEY = 'it is not a key alone: white space, quotation marks, “Bearer” or an invisible character';

function readKey(old: OldKey, now: Date): PlannedKey | NotMoved {
  const provider = PROVIDERS.get(old.provider.trim().toLowerCase());
  if (provider === undefined) return { result: 'failed', reason: 'its provider is not in the catalogue' };
  const key = saveKeyBody.safeParse({ key: old.key.reveal() }).data?.key;
  if (old.key.reveal().trim() === '') return { result: 'skipped', reason: 'it is empty' };
  if (key === undefined) return { result: 'failed', reason: NOT_A_KEY };
  const updatedAt = old.updatedAt ?? old.createdAt ?? now;
  return { provider, key: new Secret(key), createdAt: old.createdAt ?? updatedAt, updatedAt };
}

function readSession(old: OldSession, steps: readonly StepDefinition[]): PlannedSession | undefined {
  const startedAt = old.startedAt ?? old.completedAt;
  if (startedAt === undefined) return undefined;
  const done = steps.slice(0, countDone(old, steps)).map(({ id }) => id);
  return { startedAt, doneAt: old.completedAt ?? startedAt, done };
}

/** Counts by the current step if the new steps have one of that id, otherwise by the share that was done. */
function countDone(
  { completedAt, currentStep, progress }: OldSession,
  steps: readonly StepDefinition[],
): number {
  if (completedAt !== undefined) return steps.length;
  const current = steps.findIndex(({ id }) => id === currentStep);
  if (current >= 0) return current;
  const share = progress === undefined ? 0 : progress > 1 ? progress / 100 : progress;
  return Math.max(0, Math.min(steps.length - 1, Math.floor(share * steps.length)));
}

function byProgress(a: OldSession, b: OldSession): number {
  const completed = Number(b.completedAt !== undefined) - Number(a.completedAt !== undefined);
  return completed || (b.startedAt?.getTime() ?? 0) - (a.startedAt?.getTime() ?? 0);
}

function timeOf({ updatedAt, createdAt }: OldKey): number {
  return (updatedAt ?? createdAt)?.getTime() ?? 0;
}
