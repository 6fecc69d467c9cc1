import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { compileCache } from '../support/start-world.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const CLI = resolve(import.meta.dirname, '../../cli/userkeys.ts');

export type Ran = {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Both, standard output first. */
  readonly text: string;
};

/** Runs `userkeys …` to its end with that environment and no other variable, by default in an empty directory. */
export async function runUserkeys(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  directory?: string,
): Promise<Ran> {
  const cwd = directory ?? (await temporaryDirectory());
  return new Promise((done) => {
    const options = { cwd, env: { PATH: process.env.PATH, ...compileCache(), ...env } };
    execFile(process.execPath, [CLI, ...args], options, (error, out, err) => {
      done({ code: error ? Number(error.code) : 0, out, err, text: out + err });
    });
  });
}
