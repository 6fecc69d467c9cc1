/** Changing one or more `.env` files together with the store. */
import { type PreparedChange, prepareChange, type Wanted } from './env-file.ts';
import { lockFile } from './file-lock.ts';

/**
 * Prepares every file, runs `store`, and only then puts the files in their places: when a file is refused nothing
 * is stored, and when storing fails no file is changed. One caller at a time, so that of two saves the same one is
 * last in the store and in the files.
 *
 * @throws Problem `env_file_refused`, `env_file_busy`, and whatever `store` throws.
 */
export async function changeEnvFiles<T>(
  wanted: ReadonlyMap<string, Wanted>,
  store: () => Promise<T>,
): Promise<T> {
  // Always in the same order: two callers never wait for each other.
  const paths = [...wanted.keys()].sort();
  const unlocks: (() => void)[] = [];
  const changes: PreparedChange[] = [];
  try {
    for (const path of paths) unlocks.push(await lockFile(path));
    for (const path of paths) changes.push(await prepareChange(path, wanted.get(path) ?? new Map()));
    const result = await store();
    for (const change of changes) await change.finish();
    return result;
  } finally {
    await Promise.allSettled(changes.map((change) => change.drop()));
    for (const unlock of unlocks) unlock();
  }
}
