/** Reads an `.env` file and replaces it atomically. */

import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { Problem } from '../errors.ts';
import { MAX_ENV_FILE_TRIES } from '../limits.ts';
import { readVariables, setVariable } from './env-text.ts';

/** The new value of each variable to change; undefined removes the variable. */
export type VariableChanges = ReadonlyMap<string, string | undefined>;

/** `text` is undefined if there is no file. `usable` is false if the path is not a regular file. */
export type EnvFileState = { readonly usable: boolean; readonly text: string | undefined };

/** Only the owner may read a file that holds keys. */
const MODE = 0o600;

/** Reads the current file. Symbolic links are not followed, and only regular files are read. */
export async function readEnvFile(path: string): Promise<EnvFileState> {
  try {
    // Without O_NONBLOCK, opening a named pipe would block until another process opens it for writing.
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

/** A change that has been written to a temporary file and verified. The file itself is still unchanged. */
export type PreparedChange = {
  /** Replaces the file. */
  commit(): Promise<void>;
  /** Leaves the file unchanged. */
  discard(): Promise<void>;
};

const noChange: PreparedChange = { commit: async () => {}, discard: async () => {} };

/**
 * Writes the changed text to a temporary file in the same directory, reads it back and compares every variable: no
 * variable outside `changes` may differ. The caller holds the file's lock.
 *
 * @throws Problem `env_file_refused` when another variable would change, or when the file cannot be written. The
 *   file is then unchanged.
 */
export async function prepareChange(path: string, changes: VariableChanges): Promise<PreparedChange> {
  const draft = `${path}.userkeys-draft.local`;
  const discard = () => rm(draft, { force: true });
  const onlyRemoves = [...changes.values()].every((value) => value === undefined);
  const write = async (state: EnvFileState): Promise<EnvFileState> => {
    if (!state.usable) throw envFileRefused(path, 'is not a regular file; symbolic links are not followed');
    const before = state.text ?? '';
    const after = [...changes].reduce((text, [name, value]) => setVariable(text, name, value), before);
    // A killed process may have left a temporary file.
    await discard();
    const file = await open(draft, 'wx', MODE);
    try {
      await file.writeFile(after, 'latin1');
      await file.sync();
    } finally {
      await file.close();
    }
    const { text: written = '' } = await readEnvFile(draft);
    if (!isExpectedChange(before, written, changes)) {
      throw envFileRefused(path, 'has lines that programs read in different ways: edit it by hand');
    }
    return state;
  };

  return discardOnError(path, discard, async () => {
    const first = await readEnvFile(path);
    // Nothing to remove. This also covers paths that are not a regular file, which are never read.
    if (onlyRemoves && isExpectedChange(first.text ?? '', first.text ?? '', changes)) return noChange;
    let state = await write(first);
    return {
      discard,
      commit: () =>
        discardOnError(path, discard, async () => {
          for (let tries = 0; tries < MAX_ENV_FILE_TRIES; tries += 1) {
            // An editor does not use the lock, so the file may have changed.
            if ((await readEnvFile(path)).text === state.text) return rename(draft, path);
            state = await write(await readEnvFile(path));
          }
          throw envFileRefused(path, 'is being changed by another program');
        }),
    };
  });
}

/** Runs a step. On failure it removes the temporary file and turns a file-system error into `env_file_refused`. */
async function discardOnError<T>(
  path: string,
  discard: () => Promise<void>,
  step: () => Promise<T>,
): Promise<T> {
  try {
    return await step();
  } catch (error) {
    await discard().catch(() => undefined);
    const code = errorCode(error);
    throw code === undefined ? error : envFileRefused(path, `cannot be written (${code})`);
  }
}

/** The problem for a file that cannot be changed. */
export function envFileRefused(path: string, reason: string): Problem {
  return new Problem('env_file_refused', { detail: `${path} ${reason}. Nothing was stored.` });
}

/** The code of a file-system error, such as `EACCES`; undefined for other errors. */
function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const NAME = /^[\w.-]+$/;

/** Both must accept the change: our parser, which follows dotenv, and Node's own, used for `--env-file`. */
const PARSERS: readonly ((text: string) => ReadonlyMap<string, string | undefined>)[] = [
  readVariables,
  // Node 24 reads variables named `#` or `export A` from some empty assignments. No program uses such names.
  (text) => new Map(Object.entries(parseEnv(text)).filter(([name]) => NAME.test(name))),
];

/**
 * Whether every parser reads the new value of each variable in `changes` (undefined: absent), and the old value of
 * every other variable.
 */
function isExpectedChange(
  before: string,
  after: string,
  changes: ReadonlyMap<string, string | undefined>,
): boolean {
  return PARSERS.every((parse) => {
    const [oldValues, newValues] = [parse(before), parse(after)];
    const names = new Set([...oldValues.keys(), ...newValues.keys(), ...changes.keys()]);
    return [...names].every(
      (name) => newValues.get(name) === (changes.has(name) ? changes : oldValues).get(name),
    );
  });
}
