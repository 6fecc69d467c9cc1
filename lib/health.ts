/** Whether this deployment can serve calls. */
import type { App } from './compose.ts';
import { json } from './http/json.ts';
import type { Ask } from './kv/kv.ts';

const ping: Ask<void> = {
  commands: 1,
  add(batch) {
    batch.ping();
  },
  read: () => undefined,
};

/** 200 `{status, mode, kv}`, or 503 with the same form when KV does not answer. */
export async function checkHealth(app: Pick<App, 'config' | 'kv'>): Promise<Response> {
  const { mode } = app.config;
  return app.kv.ask(ping).then(
    () => json({ status: 'ok', mode, kv: 'ok' }),
    () => {
      const response = json({ status: 'unavailable', mode, kv: 'unreachable' }, 503);
      response.headers.set('retry-after', '2');
      return response;
    },
  );
}
