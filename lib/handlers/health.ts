/** Whether this deployment can serve calls. */
import type { App } from '../compose.ts';
import { json } from '../http/json.ts';
import { ringHealth } from '../rotation/ring-health.ts';

/**
 * 200 `{status, mode, kv}`, or 503 with the same form when KV does not answer. `degraded`, with 200 because
 * everything else is served, when the master keys do not fit the stored records; `masterKeys` says how.
 */
export async function checkHealth(app: Pick<App, 'config' | 'kv' | 'ring'>): Promise<Response> {
  const { mode } = app.config;
  return app.kv.ask(ringHealth(app.ring)).then(
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
}
