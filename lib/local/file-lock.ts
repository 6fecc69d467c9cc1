/**
 * One writer of a file at a time, across processes. The lock is the operating system's own, held through an open
 * SQLite file beside it (Node offers no flock), so it ends with the process, also with `kill -9`, and never goes
 * stale.
 */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { Problem } from '../errors.ts';
import { ENV_FILE_LOCK_TIMEOUT_MS, MAX_LOCK_WAIT_MS, MIN_LOCK_WAIT_MS } from '../limits.ts';
import { envFileRefused } from './env-file.ts';

/** An error code of SQLite. */
const SQLITE_BUSY = 5;

/**
 * Waits until nobody holds the lock of `path` and holds it until the returned function is called. The empty file
 * stays: taking it away would let two writers hold two files of that name.
 *
 * @throws Problem `env_file_busy` after thirty seconds, `env_file_refused` when there can be no file beside `path`.
 */
export async function lockFile(path: string): Promise<() => void> {
  const lock = open(path);
  const deadline = performance.now() + ENV_FILE_LOCK_TIMEOUT_MS;
  try {
    for (
      let longest = MIN_LOCK_WAIT_MS;
      !take(lock, path);
      longest = Math.min(2 * longest, MAX_LOCK_WAIT_MS)
    ) {
      if (performance.now() > deadline)
        throw new Problem('env_file_busy', { headers: { 'retry-after': '1' } });
      // Of different lengths, so that those who wait do not all come back together.
      await wait(1 + Math.random() * longest);
    }
  } catch (error) {
    lock.close();
    throw error;
  }
  return () => lock.close();
}

function open(path: string): DatabaseSync {
  try {
    return new DatabaseSync(`${path}.userkeys-lock.local`, { timeout: 0 });
  } catch {
    throw cannotLock(path);
  }
}

function take(lock: DatabaseSync, path: string): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return false;
    throw cannotLock(path);
  }
}

function cannotLock(path: string): Problem {
  return envFileRefused(path, 'cannot be locked: its directory is missing or cannot be written to');
}
