import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { onTestFinished, vi } from 'vitest';
import { compileCache } from './start-world.ts';

const CLI = resolve(import.meta.dirname, '../../cli/userkeys.ts');
/** How long a slow machine may take to start or stop the command. */
const PATIENCE_MS = 30_000;

export type RunningCommand = {
  /** Everything it has printed so far. */
  output(): string;
  /** Waits until the pattern matches the output. Returns the first group, or the whole match. */
  printed(pattern: RegExp): Promise<string>;
  /** The commands that it printed for pasting, in order. */
  commands(): readonly string[];
  /** Sends a signal to the command only, or also to its child processes, as a terminal does on Ctrl-C. */
  signal(signal: NodeJS.Signals, to?: 'it' | 'everything'): void;
  /** Its exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals | null>;
  /** Resolves when the command and its child processes have ended; rejects if one keeps running. */
  nothingLeft(): Promise<void>;
};

/**
 * Runs `node cli/userkeys.ts …` in that directory, as `npm run` does, with exactly these environment variables. It
 * is stopped at the end of the test.
 */
export function runCommand(
  args: readonly string[],
  directory: string,
  env: Readonly<Record<string, string>> = {},
): RunningCommand {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: directory,
    env: { PATH: dirname(process.execPath), ...compileCache(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its own process group, so that its child processes can be found and stopped.
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  onTestFinished(() => void signalGroup(child, 'SIGKILL'));

  return {
    output: () => output,
    async printed(pattern) {
      const found = await vi.waitUntil(
        () => {
          const match = pattern.exec(stripVTControlCharacters(output));
          if (match === null && child.exitCode !== null)
            throw new Error(`It ended, having printed:\n${output}`);
          return match;
        },
        { timeout: PATIENCE_MS },
      );
      return found?.[1] ?? found?.[0] ?? '';
    },
    commands: () =>
      stripVTControlCharacters(output)
        .split('\n')
        .filter((line) => /^ {2}(TOKEN=|read |curl )/.test(line)),
    signal(signal, to = 'it') {
      if (to === 'it') child.kill(signal);
      else signalGroup(child, signal);
    },
    exited: once(child, 'exit').then(([code, signal]) => code ?? signal),
    async nothingLeft() {
      await vi.waitUntil(() => !signalGroup(child, 0), { timeout: PATIENCE_MS });
    },
  };
}

/** Whether a process received the signal. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}
