// The engine where Redis is installed: a redis-server of our own, spoken to over its socket.

import { lockDirectory } from './directory-lock.ts';
import type { Engine } from './engine.ts';
import { connectRedis } from './redis-connection.ts';
import { startRedisServer } from './redis-server-process.ts';

/**
 * Opens the data in `dataDirectory`, which must exist, or keeps nothing without one. Throws when another
 * process holds the directory or redis-server does not start.
 */
export async function openRedisEngine(options: { dataDirectory: string | undefined }): Promise<Engine> {
  const unlock = options.dataDirectory === undefined ? () => {} : lockDirectory(options.dataDirectory);
  try {
    const server = await startRedisServer(options.dataDirectory);
    try {
      const { execute, close } = await connectRedis({ socketPath: server.socketPath });
      return { execute, close: () => close().finally(server.stop).finally(unlock) };
    } catch (error) {
      await server.stop();
      throw error;
    }
  } catch (error) {
    unlock();
    throw error;
  }
}
