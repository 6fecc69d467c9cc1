import type { KeyRing } from '../vault/key-ring.ts';
import type { RotationState } from './rotation-state.ts';

const HOUR_MS = 60 * 60_000;
/** While an old key is still on the ring, a deployment that has not been replaced yet may bring it back. */
const AGAIN_DURING_ROTATION_MS = 20 * HOUR_MS;
const AGAIN_OTHERWISE_MS = 7 * 24 * HOUR_MS;

/**
 * Whether a walk over all records is worth its reads: one is under way, the last one was for another current key
 * or left records under a key that is not the current one, or it was long ago.
 */
export function isDue({ running, last }: RotationState, ring: KeyRing, now: Date): boolean {
  if (running !== null || last === null || last.target !== ring.currentKid) return true;
  if ([...last.tally.found.keys()].some((kid) => kid !== ring.currentKid && ring.kids.has(kid))) return true;
  const restMs = ring.kids.size > 1 ? AGAIN_DURING_ROTATION_MS : AGAIN_OTHERWISE_MS;
  return now.getTime() - Date.parse(last.finishedAt) >= restMs;
}
