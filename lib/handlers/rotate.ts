/** `GET /api/cron/rotate`: one step of the rotation, and where it stands. */
import type { Call } from '../http/endpoint.ts';
import { json } from '../http/json.ts';
import type { Secret } from '../secret.ts';
import { assertScheduler } from '../rotation/cron-caller.ts';
import type { RotationState } from '../rotation/rotation-state.ts';
import { CRON_STEP, type Rotation, rotationStep } from '../rotation/rotation.ts';

export async function rotateCall(
  rotation: Rotation,
  cronSecret: Secret | undefined,
  { request }: Call,
): Promise<Response> {
  assertScheduler(request, cronSecret);
  const { outcome, state } = await rotationStep(rotation, CRON_STEP);
  return json({ outcome, currentKid: rotation.ring.currentKid, ...describeState(state) });
}

/** Counts by `kid`, without a cursor: what an operator wants to know. */
function describeState({ running, last }: RotationState) {
  const describe = (walk: NonNullable<RotationState['running'] | RotationState['last']>) => ({
    target: walk.target,
    startedAt: walk.startedAt,
    ...('finishedAt' in walk ? { finishedAt: walk.finishedAt } : {}),
    ...walk.tally,
    found: Object.fromEntries(walk.tally.found),
    left: Object.fromEntries(walk.tally.left),
  });
  return { running: running && describe(running), last: last && describe(last) };
}
