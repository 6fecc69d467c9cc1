/**
 * One bounded step of the rotation: it goes on where the last one stopped, and can itself stop, or be stopped, at
 * any point. What was sealed anew stays so; what was not is found again.
 */
import type { AuditBounds } from '../audit/audit-log.ts';
import type { Kv } from '../kv/kv.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import { isDue } from './rotation-due.ts';
import {
  type ReadState,
  type RotationState,
  readRotationState,
  startWalk,
  writeRotationState,
} from './rotation-state.ts';
import { SCAN_START } from './found-records.ts';
import { addTallies } from './tally.ts';
import { walkPage } from './walk.ts';

export type StepLimits = {
  /** No page is begun after this. A page takes at most a few seconds. */
  readonly maxMs: number;
  /** No page is begun after this many users. */
  readonly maxUsers: number;
};

/** Well within what any plan gives a function: 60 seconds. */
export const CRON_STEP: StepLimits = { maxMs: 25_000, maxUsers: 25_000 };

export type Rotation = {
  readonly kv: Kv;
  readonly ring: KeyRing;
  readonly clock: () => Date;
  /** The bounds of the users' audit logs, where each is told of its own records. Default: nothing is told. */
  readonly auditBounds?: AuditBounds;
};

export type StepResult = {
  /** `idle`: nothing was due. `more`: call again. `finished`: this step reached the end of the walk. */
  readonly outcome: 'idle' | 'more' | 'finished';
  readonly state: RotationState;
};

/**
 * Walks on, at least one page. `evenIfIdle` begins a walk although none is due.
 *
 * @throws Problem `store_unavailable`, `deployment_outdated`.
 */
export async function rotationStep(
  { kv, ring, clock, auditBounds }: Rotation,
  limits: StepLimits,
  { evenIfIdle = false } = {},
): Promise<StepResult> {
  const beganMs = performance.now();
  let state = await kv.ask(readRotationState());
  if (!evenIfIdle && !isDue(state, ring, clock())) return { outcome: 'idle', state };
  let users = 0;
  do {
    const walk =
      state.running?.target === ring.currentKid
        ? state.running
        : startWalk(ring.currentKid, SCAN_START, clock());
    const log = auditBounds && { at: clock(), bounds: auditBounds };
    const page = await walkPage({ kv, ring, reseal: true, log }, walk.cursor);
    users += page.tally.users;
    const tally = addTallies(walk.tally, page.tally);
    const atEnd = page.cursor === SCAN_START;
    const { target, startedAt } = walk;
    const next = atEnd
      ? { running: null, last: { target, startedAt, finishedAt: clock().toISOString(), tally } }
      : { running: { ...walk, cursor: page.cursor, tally }, last: state.last };
    const written: ReadState | undefined = await kv.ask(writeRotationState(state, next));
    if (written !== undefined && atEnd) return { outcome: 'finished', state: written };
    // Somebody else walked on meanwhile: this page is done all the same, and theirs is the count.
    state = written ?? (await kv.ask(readRotationState()));
    if (state.running === null) return { outcome: 'finished', state };
  } while (performance.now() - beganMs < limits.maxMs && users < limits.maxUsers);
  return { outcome: 'more', state };
}
