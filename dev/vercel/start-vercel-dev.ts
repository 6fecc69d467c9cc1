import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { LOOPBACK } from '../http/listen.ts';
import { cliEnvironment, vercelCli } from './cli.ts';
import { stageLinks } from './stage.ts';

const READY = /Available at (http:\/\/\S+)/;
/** How long the CLI may take to stop its functions before everything is killed. */
const STOP_DEADLINE_MS = 5_000;
/** What is shown of its output when it does not start. */
const LAST_LINES = 20;
/** Reads until the pipe from this process breaks, then ends the CLI's process group: `kill -9` leaves nothing behind. */
const WATCH = 'cat > /dev/null; kill -KILL "-$1"';

export type VercelDev = {
  readonly url: string;
  /** Stops the CLI and every function it has running. Safe to call twice. */
  close(): Promise<void>;
};

/**
 * Runs this project under `vercel dev --local`, on loopback: the platform's own routing, with no account, no
 * login and no network. The functions see `env` and what the CLI sets, none of the caller's variables and no
 * `.env` file. Each call is a new process, so it takes a second or two, and nothing is shared between calls.
 *
 * - `port`: 0 or absent: the system picks.
 * - `page`: the directory of the built page. Default: where the build puts it.
 * - `onLog`: each line that the CLI or a function prints.
 *
 * Not as in production: a caller who leaves is not noticed, a request body without a length is refused by the
 * CLI, and a `+` in the query of a rewritten path arrives as `%2B`.
 */
export async function startVercelDev(options: {
  port?: number;
  env: Record<string, string>;
  page?: string;
  onLog?: (line: string) => void;
}): Promise<VercelDev> {
  const { env, page } = options;
  const stage = await stageLinks({ issuer: env.AUTH_ISSUER ?? '', ...(page === undefined ? {} : { page }) });
  try {
    const running = await runVercelDev(stage, options);
    return {
      url: running.url,
      async close() {
        await running.close();
        await stage.remove();
      },
    };
  } catch (error) {
    await stage.remove();
    throw error;
  }
}

/**
 * Runs `vercel dev --local` in a project directory, on loopback, with `home` for its own files. It ends with `close`,
 * and with this process, however that ends.
 */
export async function runVercelDev(
  project: { readonly project: string; readonly home: string },
  options: { port?: number; env?: Record<string, string>; onLog?: (line: string) => void } = {},
): Promise<VercelDev> {
  const { port = 0, env = {}, onLog = () => {} } = options;
  const cli = await vercelCli(onLog);
  const child = spawn(
    process.execPath,
    [cli, 'dev', '--local', '--yes', '--listen', `${LOOPBACK}:${port}`],
    // A process group of its own, so that whatever the CLI started can be ended with it.
    {
      cwd: project.project,
      env: { ...cliEnvironment(project.home), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  const exited = once(child, 'exit');
  const killWithUs = () => killGroup(child);
  process.once('exit', killWithUs);
  const watcher = spawn('/bin/sh', ['-c', WATCH, 'sh', String(child.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.once('exit', () => watcher.kill());

  async function close(): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const deadline = setTimeout(() => killGroup(child), STOP_DEADLINE_MS);
    await exited;
    clearTimeout(deadline);
    killGroup(child);
    process.off('exit', killWithUs);
  }

  try {
    return { url: await whenReady(child, onLog), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function whenReady(child: ChildProcess, onLog: (line: string) => void): Promise<string> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        onLog(line);
        lines.push(line);
        if (lines.length > LAST_LINES) lines.shift();
        const url = READY.exec(line)?.[1];
        if (url !== undefined) resolve(url);
      });
    }
    child.once('exit', () => reject(new Error(`vercel dev did not start:\n${lines.join('\n')}`)));
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The process group is empty.
  }
}
