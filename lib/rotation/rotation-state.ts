/**
 * How far the rotation is, in KV: one small JSON text, replaced only by compare-and-set, so that two rotations at
 * once share one walk and count nothing twice.
 */
import { z } from 'zod';
import type { Ask } from '../kv/kv.ts';
import { EMPTY_TALLY, storedTally, type Tally, writeTally } from './tally.ts';

const ROTATION_KEY = 'userkeys:rotation';

const running = z.object({
  /** The master key everything is sealed under in this walk. */
  target: z.string(),
  startedAt: z.iso.datetime(),
  /** Where the scan goes on. Only a hint: after a restart of the store it can lead past records. */
  cursor: z.string(),
  tally: storedTally,
});

const finished = z.object({
  target: z.string(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  tally: storedTally,
});

const state = z.object({
  v: z.literal(1),
  running: running.nullable(),
  /** The last walk that came to its end. */
  last: finished.nullable(),
});

type RunningWalk = Omit<z.infer<typeof running>, 'tally'> & { readonly tally: Tally };
type FinishedWalk = Omit<z.infer<typeof finished>, 'tally'> & { readonly tally: Tally };
export type RotationState = { readonly running: RunningWalk | null; readonly last: FinishedWalk | null };

/** The state, and the very text it was read from. A damaged one is as good as none. */
export type ReadState = RotationState & { readonly text: string };

export function readRotationState(): Ask<ReadState> {
  return {
    commands: 1,
    add(batch) {
      batch.get(ROTATION_KEY);
    },
    read([value]) {
      const text = typeof value === 'string' ? value : '';
      return { text, ...(parseState(text) ?? { running: null, last: null }) };
    },
  };
}

/** Reads the state as written, or undefined when somebody else has changed it since it was read. */
export function writeRotationState(former: ReadState, next: RotationState): Ask<ReadState | undefined> {
  const text = JSON.stringify({
    v: 1,
    running: next.running && { ...next.running, tally: writeTally(next.running.tally) },
    last: next.last && { ...next.last, tally: writeTally(next.last.tally) },
  } satisfies z.input<typeof state>);
  return {
    commands: 1,
    add(batch) {
      batch.eval(COMPARE_AND_SET, [ROTATION_KEY], [former.text, text]);
    },
    read: ([written]) => (Number(written) === 1 ? { ...next, text } : undefined),
  };
}

const COMPARE_AND_SET = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`;

export function startWalk(target: string, cursor: string, now: Date): RunningWalk {
  return { target, startedAt: now.toISOString(), cursor, tally: EMPTY_TALLY };
}

function parseState(text: string): RotationState | undefined {
  try {
    return state.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
