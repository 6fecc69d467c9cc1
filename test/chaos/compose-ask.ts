import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import type { Send } from '../../lib/outgoing/send.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import { serveApp } from '../support/serve-app.ts';
import { type Ask, askModule } from './person.ts';

/** Deadlines so short that a stall does not take long. */
const TIMEOUT_MS = 150;

/** A `Send` of its own that gives up soon. */
export function impatientSend(): Send {
  const send = createUndiciSend();
  return (request) => send({ ...request, answerTimeoutMs: TIMEOUT_MS, idleTimeoutMs: TIMEOUT_MS });
}

let lastMs = 0;
/** Two calls never begin in the same millisecond: an erasure and the next call have an order then. */
function clock(): Date {
  lastMs = Math.max(lastMs + 1, Date.now());
  return new Date(lastMs);
}

/** Composes an app on the store at this address, with its own connections. */
export function composeAsk(
  kvUrl: string,
  { send = createUndiciSend(), sendToKv = createUndiciSend() }: { send?: Send; sendToKv?: Send } = {},
): Ask {
  const pending = new Set<Promise<unknown>>();
  const after = (work: Promise<unknown>) => {
    pending.add(work);
    void work.finally(() => pending.delete(work));
  };
  const config = loadConfig({ ...process.env, KV_REST_API_URL: kvUrl });
  const app = composeApp(config, { send, sendToKv, after, clock });
  return askModule(serveApp(app), async () => {
    while (pending.size > 0) await Promise.allSettled(pending);
  });
}
