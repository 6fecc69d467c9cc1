/**
 * Lets one process write a file at a time. The lock is an operating-system lock on an open SQLite file in the same
 * directory, because Node has no flock. The system releases it when the process ends, even after `kill -9`, so it
 * never goes stale.
 */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { Problem } from '../errors.ts';
import { ENV_FILE_LOCK_TIMEOUT_MS, MAX_LOCK_WAIT_MS, MIN_LOCK_WAIT_MS } from '../limits.ts';
import { envFileRefused } from './env-file.ts';

/** An error code of SQLite. */
const SQLITE_BUSY = 5;

/**
 * Waits for the lock of `path` and holds it until the returned function is called. The empty lock file is not removed:
 * otherwise two writers could each lock a different file of that name.
 *
 * @throws Problem `env_file_busy` after thirty seconds, `env_file_refused` when no file can be created next to `path`.
 */
export async function lockFile(path: string): Promise<() => void> {
  const lock = open(path);
  const deadline = performance.now() + ENV_FILE_LOCK_TIMEOUT_MS;
  try {
    for (
      let maxWaitMs = MIN_LOCK_WAIT_MS;
      !tryLock(lock, path);
      maxWaitMs = Math.min(2 * maxWaitMs, MAX_LOCK_WAIT_MS)
    ) {
      if (performance.now() > deadline)
        throw new Problem('env_file_busy', { headers: { 'retry-after': '1' } });
      // Random, so that waiting processes do not all retry at the same moment.
      await wait(1 + Math.random() * maxWaitMs);
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

function tryLock(lock: DatabaseSync, path: string): boolean {
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
