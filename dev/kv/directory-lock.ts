// One process at a time per data directory. The lock is the operating system's own, held through an open
// SQLite file (Node offers no flock), so it ends with the process, also with `kill -9`, and never goes stale.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const LOCK_FILE = 'kv.lock';
const SQLITE_BUSY = 5;

/**
 * Holds `directory` until the returned function is called or the process ends.
 * Throws, naming the directory, when another KV holds it.
 */
export function lockDirectory(directory: string): () => void {
  const file = new DatabaseSync(join(directory, LOCK_FILE), { timeout: 0 });
  try {
    file.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if (!isBusy(error)) throw error;
    throw new Error(
      `npm run dev already runs here, on the data in ${directory}. Stop it, or start this one on data of its own: npm run dev -- --data <directory>`,
    );
  }
  return () => file.close();
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}
