/** What a walk over the records counts. Numbers and `kid`s only: its size does not grow with the users. */
import { z } from 'zod';

const perKid = z.array(z.tuple([z.string(), z.int().nonnegative()])).transform((entries) => new Map(entries));

export const storedTally = z.object({
  /** Users looked at; one can be counted twice. */
  users: z.int().nonnegative(),
  resealed: z.int().nonnegative(),
  /** Records that no master key opens: damaged, or moved here from somewhere else. Left as they are. */
  unreadable: z.int().nonnegative(),
  /** Readable records by the `kid` they were found under. */
  found: perKid,
  /** The same records by the `kid` they were left under. */
  left: perKid,
});
export type Tally = {
  readonly users: number;
  readonly resealed: number;
  readonly unreadable: number;
  readonly found: ReadonlyMap<string, number>;
  readonly left: ReadonlyMap<string, number>;
};

export const EMPTY_TALLY: Tally = {
  users: 0,
  resealed: 0,
  unreadable: 0,
  found: new Map(),
  left: new Map(),
};

export function addTallies(a: Tally, b: Tally): Tally {
  return {
    users: a.users + b.users,
    resealed: a.resealed + b.resealed,
    unreadable: a.unreadable + b.unreadable,
    found: addCounts(a.found, b.found),
    left: addCounts(a.left, b.left),
  };
}

/** As it is stored: maps as lists of pairs, because a `kid` could be called `__proto__`. */
export function writeTally(tally: Tally): z.input<typeof storedTally> {
  return { ...tally, found: [...tally.found], left: [...tally.left] };
}

/** How many readable records each of `kids` was left with. */
export function countLeft(tally: Tally, isWanted: (kid: string) => boolean): number {
  return [...tally.left].reduce((sum, [kid, count]) => sum + (isWanted(kid) ? count : 0), 0);
}

function addCounts(
  a: ReadonlyMap<string, number>,
  b: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const sum = new Map(a);
  for (const [kid, count] of b) sum.set(kid, (sum.get(kid) ?? 0) + count);
  return sum;
}
