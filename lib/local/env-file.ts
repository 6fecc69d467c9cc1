/** Reading an `.env` file, and putting a changed one in its place, whole or not at all. */
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { Problem } from '../errors.ts';
import { MAX_ENV_FILE_TRIES } from '../limits.ts';
import { setVariable } from './env-text.ts';
import { onlyChanged } from './verify-change.ts';

/** What a variable shall be; undefined: not there. */
export type Wanted = ReadonlyMap<string, string | undefined>;

/** `text` is undefined when there is no file; `usable` false when there is something that is not a plain file. */
export type EnvFileState = { readonly usable: boolean; readonly text: string | undefined };

/** Only its owner can read what holds keys. */
const MODE = 0o600;

/** The file as it is now. A symbolic link is not followed, and nothing that is not a plain file is read. */
export async function readEnvFile(path: string): Promise<EnvFileState> {
  try {
    // Without O_NONBLOCK, opening a pipe would wait for whoever writes to it.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) return { usable: false, text: undefined };
      return { usable: true, text: await file.readFile('latin1') };
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return { usable: true, text: undefined };
    if (code === 'ELOOP' || code === 'EMLINK') return { usable: false, text: undefined };
    throw error;
  }
}

/** A change that has been written beside the file and found good; the file itself is as it was. */
export type PreparedChange = {
  /** Puts it in the file's place. */
  finish(): Promise<void>;
  /** Leaves the file as it is. */
  drop(): Promise<void>;
};

const nothingToDo: PreparedChange = { finish: async () => {}, drop: async () => {} };

/**
 * Writes the changed file beside the file, reads it back and compares every variable: only those wanted may
 * differ. The caller holds the file's lock.
 *
 * @throws Problem `env_file_refused` when another variable would change, or when the file cannot be written. The
 *   file is as it was then.
 */
export async function prepareChange(path: string, wanted: Wanted): Promise<PreparedChange> {
  const draft = `${path}.userkeys-draft.local`;
  const drop = () => rm(draft, { force: true });
  const onlyTakesOut = [...wanted.values()].every((value) => value === undefined);
  const write = async (state: EnvFileState): Promise<EnvFileState> => {
    if (!state.usable) throw envFileRefused(path, 'is not a plain file; a symbolic link is not followed');
    const before = state.text ?? '';
    const after = [...wanted].reduce((text, [name, value]) => setVariable(text, name, value), before);
    // What a killed process may have left there.
    await drop();
    const file = await open(draft, 'wx', MODE);
    try {
      await file.writeFile(after, 'latin1');
      await file.sync();
    } finally {
      await file.close();
    }
    const { text: written = '' } = await readEnvFile(draft);
    if (!onlyChanged(before, written, wanted)) {
      throw envFileRefused(
        path,
        'has lines that are read differently by different programs: change it by hand',
      );
    }
    return state;
  };

  return guard(path, drop, async () => {
    const first = await readEnvFile(path);
    // Also where there is no plain file: it is not read either.
    if (onlyTakesOut && onlyChanged(first.text ?? '', first.text ?? '', wanted)) return nothingToDo;
    let state = await write(first);
    return {
      drop,
      finish: () =>
        guard(path, drop, async () => {
          for (let tries = 0; tries < MAX_ENV_FILE_TRIES; tries += 1) {
            // An editor knows nothing of the lock.
            if ((await readEnvFile(path)).text === state.text) return rename(draft, path);
            state = await write(await readEnvFile(path));
          }
          throw envFileRefused(path, 'is being changed by another program');
        }),
    };
  });
}

/** Runs a step; when it fails, nothing is left behind, and what the file system said becomes a refusal. */
async function guard<T>(path: string, drop: () => Promise<void>, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    await drop().catch(() => undefined);
    const code = errorCode(error);
    throw code === undefined ? error : envFileRefused(path, `cannot be written (${code})`);
  }
}

/** That the file stays as it is, and why. */
export function envFileRefused(path: string, why: string): Problem {
  return new Problem('env_file_refused', { detail: `${path} ${why}. Nothing was stored.` });
}

/** What the file system said, such as `EACCES`. */
function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
