import { readRotationState, writeRotationState } from './rotation-state.ts';
import type { Rotation } from './rotation.ts';
import { SCAN_START } from './found-records.ts';
import { addTallies, EMPTY_TALLY, type Tally } from './tally.ts';
import { walkPage } from './walk.ts';

/**
 * Counts every record by its `kid` in one uninterrupted walk and seals nothing. This is what says that a key can
 * go: unlike a walk that was resumed, it cannot have been led past a record by an outdated cursor.
 * `onProgress` is told what was counted so far.
 *
 * @throws Problem `store_unavailable`; count again then.
 */
export async function countRecords(
  { kv, ring, clock }: Rotation,
  onProgress: (soFar: Tally) => void = () => undefined,
): Promise<Tally> {
  const startedAt = clock().toISOString();
  let tally = EMPTY_TALLY;
  let cursor = SCAN_START;
  do {
    const page = await walkPage({ kv, ring, reseal: false }, cursor);
    tally = addTallies(tally, page.tally);
    cursor = page.cursor;
    onProgress(tally);
  } while (cursor !== SCAN_START);
  const state = await kv.ask(readRotationState());
  const last = { target: ring.currentKid, startedAt, finishedAt: clock().toISOString(), tally };
  // For /api/health. When somebody else has just written a count of their own, that one is as fresh.
  await kv.ask(writeRotationState(state, { ...state, last }));
  return tally;
}
