/** GET /api/health: whether this deployment can serve calls. */
import type { App } from '../http/call.ts';
import { publicRoute } from '../http/endpoint.ts';
import { json } from '../http/json.ts';
import { HEALTH_LIFETIME_MS } from '../limits.ts';
import { ringHealth } from '../rotation/rotation-state.ts';
import type { KeyRing } from '../vault/key-ring.ts';

/**
 * 200 `{status, mode, kv}`, or 503 in the same form when KV does not answer. `degraded`, with 200 because calls are
 * still served, when the master keys do not fit the stored records; `masterKeys` says how.
 * Answers are up to three seconds old, because anybody may ask as often as they like.
 */
export const GET = publicRoute(async ({ app }) => {
  const { mode } = app.config;
  return checkStore(app, await app.ring()).then(
    (masterKeys) =>
      masterKeys === 'ok'
        ? json({ status: 'ok', mode, kv: 'ok' })
        : json({ status: 'degraded', mode, kv: 'ok', masterKeys }),
    () => {
      const response = json({ status: 'unavailable', mode, kv: 'unreachable' }, 503);
      response.headers.set('retry-after', '2');
      return response;
    },
  );
});

type Check = { readonly result: Promise<'ok' | 'missing' | 'retired'>; readonly validUntilMs: number };

/** The last check of each app. Callers that come while it is under way share it. */
const checks = new WeakMap<App, Check>();

function checkStore(app: App, ring: KeyRing): Check['result'] {
  const nowMs = app.clock().getTime();
  const former = checks.get(app);
  if (former !== undefined && nowMs < former.validUntilMs) return former.result;
  const result = app.kv.run(ringHealth(ring));
  checks.set(app, { result, validUntilMs: nowMs + HEALTH_LIFETIME_MS });
  return result;
}
