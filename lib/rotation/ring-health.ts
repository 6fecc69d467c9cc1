import { type Ask, both } from '../kv/kv.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import { isRetired } from '../vault/retired-kids.ts';
import { readRotationState } from './rotation-state.ts';
import { countLeft, EMPTY_TALLY } from './tally.ts';

/**
 * Whether this deployment's master keys fit the records, from the counts of the last walk and the running one:
 * `missing` when records need a key that is not on the ring, `retired` when nothing may be sealed under the
 * current key any more. Says neither which keys nor how many records: anybody may ask.
 */
export function ringHealth(ring: KeyRing): Ask<'ok' | 'missing' | 'retired'> {
  const { read, ...ask } = both(readRotationState(), isRetired(ring.currentKid));
  return {
    ...ask,
    read(results) {
      const [{ running, last }, retired] = read(results);
      const tallies = [running?.tally ?? EMPTY_TALLY, last?.tally ?? EMPTY_TALLY];
      if (tallies.some((tally) => countLeft(tally, (kid) => !ring.kids.has(kid)) > 0)) return 'missing';
      return retired ? 'retired' : 'ok';
    },
  };
}
