import { randomBytes } from 'node:crypto';
import { parseMasterKeys } from '../../lib/vault/master-keys.ts';
import { readPrivateFile, writePrivateFile } from '../state/private-file.ts';

/** A new value of `VAULT_KEYS` with one master key. */
export function newVaultKeys(): string {
  return `dev1:${randomBytes(32).toString('base64url')}`;
}

/**
 * The value of `VAULT_KEYS` in the file `path`, or a new one, which is on the disk before this returns. Stored keys
 * open only with these master keys, so a file that cannot be parsed is an error and is never replaced.
 */
export async function loadVaultKeys(path: string): Promise<string> {
  const stored = (await readPrivateFile(path))?.trim();
  if (stored === undefined) {
    const made = newVaultKeys();
    await writePrivateFile(path, `${made}\n`);
    return made;
  }
  try {
    parseMasterKeys(stored);
    return stored;
  } catch {
    throw new Error(
      `${path} does not hold master keys. Restore the former file. To start over, delete it: the keys stored so far are then lost.`,
    );
  }
}
