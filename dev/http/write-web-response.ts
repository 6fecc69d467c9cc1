import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** How long a client may go on sending a request that has been answered. */
const LINGER_MS = 5_000;

/**
 * Sends a Web `Response`, chunk by chunk as it is produced and no faster than the client reads. When the
 * client leaves, the body is cancelled. When the body fails half way, the connection is cut, so that a
 * truncated answer is never taken for a complete one. Settles when nothing is left to do; never rejects.
 */
export async function writeWebResponse(response: Response, outgoing: ServerResponse): Promise<void> {
  const reader = response.body?.getReader();
  const stop = () => void reader?.cancel().catch(() => {});
  outgoing.once('close', stop);
  try {
    outgoing.writeHead(response.status, headerPairs(response.headers));
    if (reader === undefined || outgoing.req.method === 'HEAD') {
      stop();
      outgoing.end();
      return;
    }
    outgoing.flushHeaders();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (!outgoing.write(chunk.value)) await drained(outgoing);
    }
    outgoing.off('close', stop);
    await readRest(outgoing.req);
    outgoing.end();
  } catch {
    outgoing.destroy();
  }
}

/** `name, value, name, value`: the form in which several `Set-Cookie` stay several. */
function headerPairs(headers: Headers): string[] {
  return [...headers].flat();
}

async function drained(outgoing: ServerResponse): Promise<void> {
  if (outgoing.destroyed) return;
  await Promise.race([once(outgoing, 'drain'), once(outgoing, 'close')]);
}

/**
 * Lets a client that was answered early, such as with a 413, finish sending. Closed before that, the connection
 * would be reset, and the answer lost with it.
 */
async function readRest(incoming: IncomingMessage): Promise<void> {
  if (incoming.complete || incoming.destroyed) return;
  await Promise.race([once(incoming.resume(), 'close'), delay(LINGER_MS, undefined, { ref: false })]);
}
