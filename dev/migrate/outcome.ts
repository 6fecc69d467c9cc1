/** What became of one key or one session. A reason is a fixed text: nothing of a key gets into it. */

type Result = 'moved' | 'already there' | 'skipped' | 'failed';

export type Outcome = {
  readonly what: 'key' | 'session';
  readonly user: string;
  readonly result: Result;
  /** Why it was skipped or failed. */
  readonly reason?: string;
};

export type Tally = {
  readonly counts: Readonly<Record<Outcome['what'], Readonly<Record<Result, number>>>>;
  /** Each reason with how often it was given, and a few of the users it was given for. */
  readonly reasons: ReadonlyMap<string, { readonly count: number; readonly users: readonly string[] }>;
};

const EXAMPLES = 3;

/** Counts outcomes as they come. */
export function createTally(): { add(outcome: Outcome): void; read(): Tally } {
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
      if (entry.users.length < EXAMPLES && !entry.users.includes(user)) entry.users.push(user);
      reasons.set(title, entry);
    },
    read: () => ({ counts, reasons }),
  };
}
