/** The processes of a run: started on a port, measured through /proc, and ended with the run. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { closeServer, LOOPBACK, listen } from '../dev/http/listen.ts';

const START_TIMEOUT_MS = 20_000;
const POLL_MS = 2;

export type Target = {
  readonly origin: string;
  readonly pid: number;
  end(): Promise<void>;
};

/** How to start a target: its program is given the port as its last argument. */
export type Program = {
  readonly file: string;
  readonly args: (port: number) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Portkey prints whatever it meets. Its failures show in the answers. */
  readonly isQuiet?: boolean;
};

/** Starts the program. It listens when this resolves. */
export async function startTarget({ file, args, env, isQuiet = false }: Program): Promise<Target> {
  const port = await freePort();
  const child = fork(file, args(port), {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    execArgv: [],
    stdio: ['ignore', 'ignore', isQuiet ? 'ignore' : 'inherit', 'ipc'],
  });
  await listening(child, port, file);
  return { origin: `http://${LOOPBACK}:${port}`, pid: child.pid ?? 0, end: () => endChild(child) };
}

export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Tries to connect until the program listens. A refused connection costs the program nothing. */
async function listening(child: ChildProcess, port: number, file: string): Promise<void> {
  const endsAt = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < endsAt && child.exitCode === null) {
    if (await accepts(port)) return;
    await delay(POLL_MS);
  }
  await endChild(child);
  throw new Error(`${file} does not listen.`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

async function freePort(): Promise<number> {
  const server = createHttpServer();
  const port = await listen(server);
  await closeServer(server);
  return port;
}

/**
 * The CPU time of every thread of a process, in microseconds. `/proc/<pid>/stat` has the same in steps of 10 ms, which
 * is too coarse for a start; no thread of Node ends before its process.
 */
export function cpuMicros(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => {
    const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return sum + Number(nanoseconds) / 1_000;
  }, 0);
}

/** Resident memory of a process in megabytes. */
export function residentMegabytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1_024;
}
