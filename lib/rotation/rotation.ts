/**
 * Rotating master keys. A step is bounded and continues where the last one stopped. It can stop, or be stopped, at any
 * point: records that were resealed stay so, and the others are found again.
 */
import type { AuditBounds } from '../audit/audit-log.ts';
import type { Kv } from '../kv/kv.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import { assertNoLegacyRecords, SCAN_START } from './found-records.ts';
import {
  addTallies,
  EMPTY_TALLY,
  isDue,
  type ReadState,
  type RotationState,
  readRotationState,
  startWalk,
  type Tally,
  writeRotationState,
} from './rotation-state.ts';
import { walkPage } from './walk.ts';

export type StepLimits = {
  /** No page is started after this. A page takes at most a few seconds. */
  readonly maxMs: number;
  /** No page is started after this many users. */
  readonly maxUsers: number;
};

export type Rotation = {
  readonly kv: Kv;
  readonly ring: KeyRing;
  readonly clock: () => Date;
  /** The bounds of the users' audit logs, in which each rotated record is entered. Default: nothing is entered. */
  readonly auditBounds?: AuditBounds;
};

export type StepResult = {
  /** `idle`: nothing was due. `more`: call again. `finished`: this step reached the end of the walk. */
  readonly outcome: 'idle' | 'more' | 'finished';
  readonly state: RotationState;
};

/**
 * Continues the walk by at least one page. `evenIfIdle` starts a walk although none is due.
 *
 * @throws Problem `store_unavailable`, `deployment_outdated`.
 */
export async function rotationStep(
  { kv, ring, clock, auditBounds }: Rotation,
  limits: StepLimits,
  { evenIfIdle = false } = {},
): Promise<StepResult> {
  const startedMs = performance.now();
  let state = await kv.run(readRotationState());
  if (!evenIfIdle && !isDue(state, ring, clock())) return { outcome: 'idle', state };
  let users = 0;
  do {
    const walk =
      state.running?.target === ring.currentKid
        ? state.running
        : startWalk(ring.currentKid, SCAN_START, clock());
    const audit = auditBounds && { at: clock(), bounds: auditBounds };
    const page = await walkPage({ kv, ring, reseals: true, audit }, walk.cursor);
    users += page.tally.users;
    const tally = addTallies(walk.tally, page.tally);
    const isAtEnd = page.cursor === SCAN_START;
    const { target, startedAt } = walk;
    const next = isAtEnd
      ? { running: null, last: { target, startedAt, finishedAt: clock().toISOString(), tally } }
      : { running: { ...walk, cursor: page.cursor, tally }, last: state.last };
    const written: ReadState | undefined = await kv.run(writeRotationState(state, next));
    if (written !== undefined && isAtEnd) return { outcome: 'finished', state: written };
    // Another rotation moved the walk on meanwhile. The records of this page are done, and the other one's count stays.
    state = written ?? (await kv.run(readRotationState()));
    if (state.running === null) return { outcome: 'finished', state };
  } while (performance.now() - startedMs < limits.maxMs && users < limits.maxUsers);
  return { outcome: 'more', state };
}

/**
 * Counts every record by its `kid` in one uninterrupted walk and reseals nothing. Only this count may say that a master
 * key can be removed: unlike a walk that was resumed, it cannot have skipped records because of an outdated cursor.
 * `onProgress` receives what was counted so far.
 *
 * @throws Problem `store_unavailable`; count again then. `store_outdated` while records have names of an earlier version.
 */
export async function countRecords(
  { kv, ring, clock }: Rotation,
  onProgress: (soFar: Tally) => void = () => undefined,
): Promise<Tally> {
  const startedAt = clock().toISOString();
  await assertNoLegacyRecords(kv);
  let tally = EMPTY_TALLY;
  let cursor = SCAN_START;
  do {
    const page = await walkPage({ kv, ring, reseals: false }, cursor);
    tally = addTallies(tally, page.tally);
    cursor = page.cursor;
    onProgress(tally);
  } while (cursor !== SCAN_START);
  const state = await kv.run(readRotationState());
  const last = { target: ring.currentKid, startedAt, finishedAt: clock().toISOString(), tally };
  // For /api/health. If another count was written meanwhile, that one is as recent.
  await kv.run(writeRotationState(state, { ...state, last }));
  return tally;
}
