/** GET /api/health: whether this deployment can serve calls. */
import { publicRoute } from '../http/endpoint.ts';
import { json } from '../http/json.ts';
import { ringHealth } from '../rotation/rotation-state.ts';

/**
 * 200 `{status, mode, kv}`, or 503 in the same form when KV does not answer. `degraded`, with 200 because calls are
 * still served, when the master keys do not fit the stored records; `masterKeys` says how.
 */
export const GET = publicRoute(async ({ app }) => {
  const { mode } = app.config;
  const ring = await app.ring();
  return app.kv.run(ringHealth(ring)).then(
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
