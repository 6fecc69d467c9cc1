/** GET /api/cron/rotate: one step of the master key rotation. Called by the platform's scheduler. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Problem, type Reason } from '../errors.ts';
import { publicRoute } from '../http/endpoint.ts';
import { json } from '../http/json.ts';
import { MAX_ROTATION_STEP_MS, MAX_ROTATION_STEP_USERS } from '../limits.ts';
import { rotationStep } from '../rotation/rotation.ts';
import type { RotationState } from '../rotation/rotation-state.ts';
import type { Secret } from '../secret.ts';

/**
 * `{outcome, currentKid, running, last}`, with counts by `kid`.
 *
 * @throws Problem `token_missing`, `token_invalid`, `store_unavailable`, `deployment_outdated`.
 */
export const GET = publicRoute(async ({ app, request }) => {
  const { kv, clock, config } = app;
  assertScheduler(request, config.cronSecret);
  const ring = await app.ring();
  const { outcome, state } = await rotationStep(
    { kv, ring, clock, auditBounds: config.audit },
    { maxMs: MAX_ROTATION_STEP_MS, maxUsers: MAX_ROTATION_STEP_USERS },
  );
  return json({ outcome, currentKid: ring.currentKid, ...describeState(state) });
});

/**
 * Admits only the scheduler, which sends `Authorization: Bearer <CRON_SECRET>`, compared in constant time for any
 * length. Without a `CRON_SECRET` nobody is admitted.
 *
 * @throws Problem `token_missing`, `token_invalid`.
 */
export function assertScheduler(request: Request, cronSecret: Secret | undefined): void {
  const [, token] = /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '') ?? [];
  if (token === undefined) throw refused('token_missing', 'cron_token_missing');
  if (cronSecret === undefined) throw refused('token_invalid', 'cron_secret_missing');
  if (!timingSafeEqual(digest(token), digest(cronSecret.reveal()))) {
    throw refused('token_invalid', 'cron_secret_wrong');
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function refused(code: 'token_missing' | 'token_invalid', reason: Reason): Problem {
  return new Problem(code, {
    detail: 'This address is for the scheduler, which sends CRON_SECRET as its bearer token.',
    headers: { 'www-authenticate': 'Bearer' },
    reason,
  });
}

/** Counts by `kid`, without the cursor. */
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
