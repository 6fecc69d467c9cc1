import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import type { Send } from '../../lib/outgoing/send.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import type { HandlerModule } from './call.ts';
import { serveApp } from './serve-app.ts';
import type { World } from './start-world.ts';

/**
 * An app of its own in a world: other settings, a clock that the test sets, and its own way to the store. `settled`
 * waits until everything that the app has begun to write after its responses is written.
 */
export function composeInWorld(
  world: World,
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly clock?: () => Date;
    readonly sendToKv?: (send: Send) => Send;
  } = {},
) {
  const { env = {}, clock, sendToKv = (send) => send } = options;
  const send = createUndiciSend();
  const pending = new Set<Promise<unknown>>();
  const app = composeApp(loadConfig({ ...world.env, ...env }), {
    send,
    sendToKv: sendToKv(send),
    after(work) {
      pending.add(work);
      work.finally(() => pending.delete(work));
    },
    ...(clock && { clock }),
  });
  const functions: HandlerModule = serveApp(app);
  return { app, functions, settled: () => Promise.all(pending) };
}
