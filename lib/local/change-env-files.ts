/** Changes one or more `.env` files together with the store. */
import { type PreparedChange, prepareChange, type VariableChanges } from './env-file.ts';
import { lockFile } from './file-lock.ts';

/**
 * Prepares every file, runs `store`, and only then replaces the files. If a file is refused, nothing is stored; if
 * storing fails, no file is changed. A lock admits one caller at a time, so after two concurrent saves the store and
 * the files hold the same key.
 *
 * @throws Problem `env_file_refused`, `env_file_busy`, and whatever `store` throws.
 */
export async function changeEnvFiles<T>(
  changesByPath: ReadonlyMap<string, VariableChanges>,
  store: () => Promise<T>,
): Promise<T> {
  // Always in the same order, so that two callers cannot deadlock.
  const paths = [...changesByPath.keys()].sort();
  const unlocks: (() => void)[] = [];
  const prepared: PreparedChange[] = [];
  try {
    for (const path of paths) unlocks.push(await lockFile(path));
    for (const path of paths) prepared.push(await prepareChange(path, changesByPath.get(path) ?? new Map()));
    const result = await store();
    for (const change of prepared) await change.commit();
    return result;
  } finally {
    await Promise.allSettled(prepared.map((change) => change.discard()));
    for (const unlock of unlocks) unlock();
  }
}
