// The KV store on a developer's machine: the Upstash Redis REST protocol, as @vercel/kv speaks it, on
// loopback. What production has from Vercel, without an account.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { resolve } from 'node:path';
import { chooseEngine } from './choose-engine.ts';
import { openEmbeddedEngine } from './embedded-engine.ts';
import { connectRedis } from './redis-connection.ts';
import { openRedisEngine } from './redis-engine.ts';
import { restListener } from './rest.ts';

const LOOPBACK = '127.0.0.1';
const TOKEN_BYTES = 24;
/** Longer than a client keeps an idle connection, so that none is closed under a request. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** How long a request that is under way may take to end when the KV is closed. */
const CLOSE_TIMEOUT_MS = 5_000;

export type RunningKv = {
  /** What `KV_REST_API_URL` should be. */
  url: string;
  /** What `KV_REST_API_TOKEN` should be. */
  token: string;
  engine: 'embedded' | 'redis-server' | 'redis-url';
  /** Answers what has been asked, then stops. What was acknowledged stays in the data directory. */
  close(): Promise<void>;
};

/**
 * Starts a KV store. With a data directory, a write that was answered is still there after `kill -9`, and only
 * one KV at a time runs on it: a second one throws.
 *
 * - `port`: 0 or absent: the system picks.
 * - `dataDirectory`: made if need be; absent: memory only. A Redis of one's own keeps its data itself.
 * - `token`: absent: generated.
 * - `engine`: a `redis:` URL for a Redis of one's own; absent: the one whose data is there, else redis-server
 *   where it is on the PATH, else the embedded one.
 * - `onRequest`: called with the commands of every request, before they run.
 */
export async function startKv(
  options: {
    port?: number;
    dataDirectory?: string;
    token?: string;
    engine?: 'embedded' | 'redis-server' | URL;
    onRequest?: (commands: readonly (readonly string[])[]) => void;
  } = {},
): Promise<RunningKv> {
  const dataDirectory = options.dataDirectory === undefined ? undefined : resolve(options.dataDirectory);
  const token = options.token ?? randomBytes(TOKEN_BYTES).toString('base64url');
  const asked = options.engine ?? chooseEngine(dataDirectory);
  const engine = await openEngine(asked, dataDirectory);
  try {
    const { onRequest } = options;
    const { url, stop } = await listen(restListener({ engine, token, onRequest }), options.port ?? 0);
    return {
      url,
      token,
      engine: asked instanceof URL ? 'redis-url' : asked,
      close: () => stop().finally(engine.close),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

function openEngine(asked: 'embedded' | 'redis-server' | URL, dataDirectory: string | undefined) {
  if (asked instanceof URL) return connectRedis({ url: asked.href });
  if (dataDirectory !== undefined) mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  return asked === 'embedded' ? openEmbeddedEngine({ dataDirectory }) : openRedisEngine({ dataDirectory });
}

async function listen(listener: RequestListener, port: number) {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS }, listener);
  server.listen(port, LOOPBACK);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The KV has no port');
  return { url: `http://${LOOPBACK}:${address.port}`, stop: () => stop(server) };
}

async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const impatient = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT_MS);
  await closed;
  clearTimeout(impatient);
}
