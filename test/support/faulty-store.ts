/** A front end of the store's REST protocol on which one request fails, in one of several ways. */
import { createServer, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';

/** What becomes of a request. Before: the store never sees it. After: the store has executed it. */
export const faults = [
  'dropped before',
  'dropped after',
  'stalled before',
  'stalled after',
  'cut off in the answer',
  'stalled in the answer',
] as const;
type Fault = (typeof faults)[number];

/** Runs in the place of a fault. Nothing is answered; the connection is closed afterwards. */
export type Break = () => Promise<void>;

export type FaultyStore = {
  readonly url: string;
  /** Requests since the last `failAt` or `heal`. */
  requests(): number;
  /** Makes the n-th request from now on fail, counted from 1. All others are answered. */
  failAt(n: number, fault: Fault | { readonly before: Break } | { readonly after: Break }): void;
  /** No request fails any more. Stalled connections are closed. */
  heal(): void;
  close(): Promise<void>;
};

/** `store` is asked for each request, so that it may be another one after a restart. */
export async function startFaultyStore(
  store: () => { readonly url: string; readonly token: string },
): Promise<FaultyStore> {
  let count = 0;
  let failing: { readonly n: number; readonly fault: Parameters<FaultyStore['failAt']>[1] } | undefined;
  const stalled = new Set<ServerResponse>();

  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    count += 1;
    const fault = failing?.n === count ? failing.fault : undefined;
    const forward = async () => {
      const { url, token } = store();
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const answer = await fetch(url + request.url, { method: 'POST', headers, body });
      return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
    };
    try {
      if (typeof fault === 'object') {
        if ('before' in fault) await fault.before();
        else await forward().then(fault.after);
        response.destroy();
      } else if (fault === 'stalled before') stalled.add(response);
      else if (fault === 'dropped before') response.destroy();
      else await answerWith(response, await forward(), fault);
    } catch {
      response.destroy();
    }
  });

  async function answerWith(
    response: ServerResponse,
    { status, bytes }: { readonly status: number; readonly bytes: Buffer },
    fault: Fault | undefined,
  ): Promise<void> {
    if (fault === 'dropped after') return void response.destroy();
    if (fault === 'stalled after') return void stalled.add(response);
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length });
    if (fault === undefined) return void response.end(bytes);
    const half = bytes.subarray(0, bytes.length / 2);
    if (fault === 'stalled in the answer') {
      stalled.add(response);
      response.write(half);
    } else response.write(half, () => response.destroy());
  }

  function heal(): void {
    failing = undefined;
    count = 0;
    for (const response of stalled) response.destroy();
    stalled.clear();
  }

  return {
    url: `http://${LOOPBACK}:${await listen(server)}`,
    requests: () => count,
    failAt(n, fault) {
      heal();
      failing = { n, fault };
    },
    heal,
    close: () => closeServer(server),
  };
}
