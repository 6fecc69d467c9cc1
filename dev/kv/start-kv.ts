// The KV store of a developer's machine: the Upstash Redis REST protocol, as @vercel/kv speaks it, on loopback.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { resolve } from 'node:path';
import { isLoopback } from '../http/is-loopback.ts';
import { LOOPBACK, listen } from '../http/listen.ts';
import { openEmbeddedEngine } from './embedded-engine.ts';
import { restListener } from './rest.ts';

const TOKEN_BYTES = 24;
/** Longer than a client keeps an idle connection, so that none is closed under a request. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** How long a request that is under way may take to end when the KV is closed. */
const CLOSE_TIMEOUT_MS = 5_000;

export type RunningKv = {
  /** The value of `KV_REST_API_URL`. */
  url: string;
  /** The value of `KV_REST_API_TOKEN`. */
  token: string;
  engine: 'embedded' | 'redis';
  /** Answers the requests under way, then stops. */
  close(): Promise<void>;
};

/**
 * Starts a KV store. With a data directory, a write that was answered is still there after `kill -9`, and only
 * one KV at a time runs on it: a second one throws.
 *
 * - `port`: 0 or absent: the system picks. A taken port rejects with `EADDRINUSE`.
 * - `dataDirectory`: made if need be; absent: memory only. Without effect with `redisUrl`.
 * - `token`: absent: generated.
 * - `redisUrl`: a Redis on this machine that answers instead of the embedded engine. It keeps its own data and is
 *   left running. Throws when it is on another machine.
 * - `onRequest`: called with the commands of every request, before they run.
 */
export async function startKv(
  options: {
    port?: number;
    dataDirectory?: string;
    token?: string;
    redisUrl?: string | undefined;
    onRequest?: (commands: readonly (readonly string[])[]) => void;
  } = {},
): Promise<RunningKv> {
  const { redisUrl, onRequest } = options;
  if (redisUrl !== undefined && !isLocalRedis(redisUrl)) {
    throw new Error('REDIS_URL must be a redis:// address of this machine.');
  }
  const token = options.token ?? randomBytes(TOKEN_BYTES).toString('base64url');
  const engine = await (redisUrl === undefined ? openEmbedded(options.dataDirectory) : openRedis(redisUrl));
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS },
    restListener({ engine, token, onRequest }),
  );
  try {
    return {
      url: `http://${LOOPBACK}:${await listen(server, options.port)}`,
      token,
      engine: redisUrl === undefined ? 'embedded' : 'redis',
      close: () => stop(server).finally(engine.close),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Whether `startKv` takes this Redis: `redis://`, on this machine. */
export function isLocalRedis(redisUrl: string): boolean {
  return /^redis:/i.test(redisUrl) && isLoopback(redisUrl);
}

function openEmbedded(dataDirectory: string | undefined) {
  const directory = dataDirectory === undefined ? undefined : resolve(dataDirectory);
  if (directory !== undefined) mkdirSync(directory, { recursive: true, mode: 0o700 });
  return openEmbeddedEngine({ dataDirectory: directory });
}

/** The client is loaded only here: loading it takes longer than everything else that a start does. */
async function openRedis(redisUrl: string) {
  const { connectRedis } = await import('./redis-connection.ts');
  return connectRedis(redisUrl);
}

async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const impatient = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT_MS);
  await closed;
  clearTimeout(impatient);
}
