import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { compileCache } from '../../support/start-world.ts';

const cli = join(import.meta.dirname, '../../../cli/userkeys.ts');

export type Run = { readonly code: number | null; readonly output: string };

/** `npm run migrate -- …`, in a process of its own, with nothing of this process’s environment. */
export function startMigrate(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): { readonly child: ChildProcess; readonly finished: Promise<Run> } {
  const child = spawn(process.execPath, [cli, 'migrate', ...args], {
    env: { PATH: process.env.PATH, ...compileCache(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const finished = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[code], out, err]) => ({ code, output: out + err }),
  );
  return { child, finished };
}

export function runMigrate(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Run> {
  return startMigrate(args, env).finished;
}
