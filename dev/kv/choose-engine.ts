// Which engine answers, when the caller does not say.

import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { EMBEDDED_LOG } from './embedded-engine.ts';

/** What redis-server keeps its data in: a folder since Redis 7, a file before. */
const REDIS_DATA = ['appendonlydir', 'appendonly.aof'];

/**
 * The engine whose data is in the directory; else redis-server where it is installed, else the embedded one.
 * Throws when the data is redis-server's and redis-server is gone: an empty store would look like a lost one.
 */
export function chooseEngine(dataDirectory: string | undefined): 'embedded' | 'redis-server' {
  const installed = redisServerInstalled();
  if (dataDirectory !== undefined) {
    if (REDIS_DATA.some((name) => existsSync(join(dataDirectory, name)))) {
      if (installed) return 'redis-server';
      throw new Error(
        `The data in ${dataDirectory} was written by redis-server, which is not on the PATH any more. Install redis-server again; or, to start over with an empty store, rename or remove that directory.`,
      );
    }
    if (existsSync(join(dataDirectory, EMBEDDED_LOG))) return 'embedded';
  }
  return installed ? 'redis-server' : 'embedded';
}

export function redisServerInstalled(): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, 'redis-server'), constants.X_OK);
      return directory !== '';
    } catch {
      return false;
    }
  });
}
