import { randomBytes } from 'node:crypto';
import { parseMasterKeys } from '../../lib/vault/master-keys.ts';
import { readPrivateFile, writePrivateFile } from '../state/private-file.ts';

/** A new value of `VAULT_KEYS` with one master key. */
export function newVaultKeys(): string {
  return `dev1:${randomBytes(32).toString('base64url')}`;
}

/**
 * The value of `VAULT_KEYS` that is kept in `path`, or a new one that is on the disk before this returns. What it
 * has sealed opens only with it: a file that cannot be read as such is never replaced, but an error.
 */
export async function loadVaultKeys(path: string): Promise<string> {
  const kept = (await readPrivateFile(path))?.trim();
  if (kept === undefined) {
    const made = newVaultKeys();
    await writePrivateFile(path, `${made}\n`);
    return made;
  }
  try {
    parseMasterKeys(kept);
    return kept;
  } catch {
    throw new Error(
      `${path} does not hold master keys. Put the former file back; or, to start over, delete it: keys stored so far are then lost.`,
    );
  }
}
