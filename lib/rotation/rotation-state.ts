/**
 * How far the rotation is, in KV: one small JSON text, replaced only by compare-and-set, so that simultaneous rotations
 * share one walk and count nothing twice. A walk looks at every record once.
 */
import { z } from 'zod';
import { globalKey } from '../kv/key-names.ts';
import { combineQueries, optionalText, type Query, query, scriptQuery } from '../kv/query.ts';
import { ROTATION_REST_DURING_MS, ROTATION_REST_MS } from '../limits.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import { isRetired } from '../vault/retired-kids.ts';

const ROTATION_KEY = globalKey('rotation');

const countsByKid = z
  .array(z.tuple([z.string(), z.int().nonnegative()]))
  .transform((entries) => new Map(entries));

/** What a walk counts. Its size does not grow with the users. */
const storedTally = z.object({
  /** Users looked at. A user can be counted twice. */
  users: z.int().nonnegative(),
  resealed: z.int().nonnegative(),
  /** Records that no master key opens: damaged, or copied from another place. They are left as they are. */
  unreadable: z.int().nonnegative(),
  /** Readable records by the `kid` under which they were found. */
  found: countsByKid,
  /** The same records by the `kid` under which they were left. */
  left: countsByKid,
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

function addCounts(
  a: ReadonlyMap<string, number>,
  b: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const sum = new Map(a);
  for (const [kid, count] of b) sum.set(kid, (sum.get(kid) ?? 0) + count);
  return sum;
}

/** How many readable records were left under the matching master keys. */
export function countLeft(tally: Tally, isWanted: (kid: string) => boolean): number {
  return [...tally.left].reduce((sum, [kid, count]) => sum + (isWanted(kid) ? count : 0), 0);
}

const runningWalk = z.object({
  /** The `kid` of the master key under which this walk seals everything. */
  target: z.string(),
  startedAt: z.iso.datetime(),
  /** Where the scan continues. Only a hint: after a restart of the store it can skip records. */
  cursor: z.string(),
  tally: storedTally,
});

const finishedWalk = z.object({
  target: z.string(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  tally: storedTally,
});

const storedState = z.object({
  v: z.literal(1),
  running: runningWalk.nullable(),
  /** The last walk that looked at every record. */
  last: finishedWalk.nullable(),
});

type RunningWalk = Omit<z.infer<typeof runningWalk>, 'tally'> & { readonly tally: Tally };
type FinishedWalk = Omit<z.infer<typeof finishedWalk>, 'tally'> & { readonly tally: Tally };
export type RotationState = { readonly running: RunningWalk | null; readonly last: FinishedWalk | null };

/** The state, and the exact text it was read from. A damaged state counts as none. */
export type ReadState = RotationState & { readonly text: string };

export function readRotationState(): Query<ReadState> {
  return query(
    (pipeline) => pipeline.get(ROTATION_KEY),
    z.tuple([optionalText]).transform(
      ([text]): ReadState => ({
        text: text ?? '',
        ...(parseState(text ?? '') ?? { running: null, last: null }),
      }),
    ),
  );
}

/** The state as written, or undefined when another rotation has changed it since it was read. */
export function writeRotationState(former: ReadState, next: RotationState): Query<ReadState | undefined> {
  const text = JSON.stringify({
    v: 1,
    running: next.running && { ...next.running, tally: toStored(next.running.tally) },
    last: next.last && { ...next.last, tally: toStored(next.last.tally) },
  } satisfies z.input<typeof storedState>);
  return scriptQuery(
    { source: COMPARE_AND_SET, keys: [ROTATION_KEY], args: [former.text, text] },
    z.union([z.literal(0), z.literal(1)]).transform((code) => (code === 1 ? { ...next, text } : undefined)),
  );
}

const COMPARE_AND_SET = `
local state, expected, replacement = KEYS[1], ARGV[1], ARGV[2]
if (redis.call('GET', state) or '') ~= expected then return 0 end
redis.call('SET', state, replacement)
return 1`;

/** Maps as lists of pairs, because a `kid` could be called `__proto__`. */
function toStored(tally: Tally): z.input<typeof storedTally> {
  return { ...tally, found: [...tally.found], left: [...tally.left] };
}

export function startWalk(target: string, cursor: string, now: Date): RunningWalk {
  return { target, startedAt: now.toISOString(), cursor, tally: EMPTY_TALLY };
}

function parseState(text: string): RotationState | undefined {
  try {
    return storedState.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/**
 * Whether a walk over all records is worth its reads: one is under way; the last one was for another current key, or
 * found records under a former key that is still on the ring; or the last one was long ago.
 */
export function isDue({ running, last }: RotationState, ring: KeyRing, now: Date): boolean {
  if (running !== null || last === null || last.target !== ring.currentKid) return true;
  if ([...last.tally.found.keys()].some((kid) => kid !== ring.currentKid && ring.kids.has(kid))) return true;
  // While a former key is on the ring, a deployment with former settings may still seal under it.
  const restMs = ring.kids.size > 1 ? ROTATION_REST_DURING_MS : ROTATION_REST_MS;
  return now.getTime() - Date.parse(last.finishedAt) >= restMs;
}

/**
 * Whether this deployment's master keys fit the records, by the counts of the last walk and of the running one:
 * `missing` when records need a key that is not on the ring, `retired` when nothing may be sealed under the current key
 * any more. It names neither keys nor numbers, because anybody may ask.
 */
export function ringHealth(ring: KeyRing): Query<'ok' | 'missing' | 'retired'> {
  return (pipeline) => {
    const parse = combineQueries(readRotationState(), isRetired(ring.currentKid))(pipeline);
    return (answers) => {
      const [{ running, last }, retired] = parse(answers);
      const tallies = [running?.tally ?? EMPTY_TALLY, last?.tally ?? EMPTY_TALLY];
      if (tallies.some((tally) => countLeft(tally, (kid) => !ring.kids.has(kid)) > 0)) return 'missing';
      return retired ? 'retired' : 'ok';
    };
  };
}
