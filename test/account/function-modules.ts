/** Every file of api/, found on the disk, so that one that is added tomorrow is found too. */
import { readdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';

const API = resolve(import.meta.dirname, '../../api');

/** Their paths under api/, such as `keys/[provider].ts`. */
export async function functionFiles(): Promise<readonly string[]> {
  const entries = await readdir(API, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(API, join(entry.parentPath, entry.name)))
    .sort();
}
