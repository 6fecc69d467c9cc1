// A redis-server of our own as a child process. It never outlives this process for long: it would go on
// writing to a data directory that the next one opens.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const SOCKET_DIRECTORY_PREFIX = 'userkeys-kv-';
const PROCESS_FILE = 'redis-server.pid';
const STOP_TIMEOUT_MS = 10_000;
const START_TIMEOUT_MS = 30_000;
const POLL_MS = 20;
const KEPT_OUTPUT_CHARACTERS = 2_000;

/** Writes who it is before it becomes redis-server, so that there is no moment at which nobody knows. */
const LAUNCH = `umask 077; printf '%s\\n%s\\n' "$$" "$1" > "$2"; shift 2; exec redis-server "$@"`;
/** Prints the command line of a process, or nothing: Linux first, ps elsewhere. */
const COMMAND_LINE = `tr '\\000' ' ' < "/proc/$1/cmdline" 2>/dev/null || ps -p "$1" -o args= 2>/dev/null`;
/** Reads until the pipe from this process breaks, then stops the server if it still is that server, and tidies up. */
const WATCH = `cat > /dev/null; { ${COMMAND_LINE}; } | grep -qF -- "$2" && kill "$1"; rm -rf -- "\${2%/*}"`;

export type RedisServerProcess = { socketPath: string; stop(): Promise<void> };

/**
 * Starts redis-server on a Unix socket that only this user can open. With a directory every write is on the
 * disk before it is answered. The caller holds the directory's lock: a server that a killed process left
 * behind is stopped first. Throws with the server's own last words when it does not start.
 */
export async function startRedisServer(dataDirectory: string | undefined): Promise<RedisServerProcess> {
  if (dataDirectory !== undefined) await stopLeftover(dataDirectory);
  const socketDirectory = mkdtempSync(join(tmpdir(), SOCKET_DIRECTORY_PREFIX));
  const socketPath = join(socketDirectory, 'redis.sock');
  const processFile = join(dataDirectory ?? socketDirectory, PROCESS_FILE);
  const persistence = dataDirectory === undefined ? ['no'] : ['yes', '--appendfsync', 'always'];
  const settings = ['--port', '0', '--unixsocket', socketPath, '--unixsocketperm', '600', '--save', ''];
  settings.push('--dir', dataDirectory ?? socketDirectory, '--appendonly', ...persistence);
  // Detached: Ctrl-C in a terminal reaches only the process that decides what to do about it.
  const server = spawn('/bin/sh', ['-c', LAUNCH, 'sh', socketPath, processFile, ...settings], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = server.pid;
  if (pid === undefined) throw new Error('Could not start /bin/sh');
  const watcher = spawn('/bin/sh', ['-c', WATCH, 'sh', String(pid), socketPath], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });

  async function stop(): Promise<void> {
    watcher.kill();
    if (running(server)) {
      const exited = once(server, 'exit');
      server.kill('SIGTERM');
      await exited;
    }
    await rm(processFile, { force: true });
    await rm(socketDirectory, { recursive: true, force: true });
  }

  try {
    await ready(server);
  } catch (error) {
    await stop();
    throw error;
  }
  return { socketPath, stop };
}

/** Resolves when the server says that it takes connections, its data loaded. */
async function ready(server: ChildProcess): Promise<void> {
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const fail = (what: string) => reject(new Error(`redis-server ${what}. Its last words:\n${output}`));
    const timer = setTimeout(() => fail('is not ready in time'), START_TIMEOUT_MS);
    // Read to the end of its life: a full pipe would stop it.
    for (const stream of [server.stdout, server.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output = `${output}${chunk}`.slice(-KEPT_OUTPUT_CHARACTERS);
        if (!/ready to accept connections/i.test(output)) return;
        clearTimeout(timer);
        resolve();
      });
    }
    server.once('error', reject);
    server.once('close', () => {
      clearTimeout(timer);
      fail('ended');
    });
  });
}

function running(server: ChildProcess): boolean {
  return server.exitCode === null && server.signalCode === null;
}

/** Stops the server that a former process started on this directory, if it lives. A reused pid is left alone. */
async function stopLeftover(dataDirectory: string): Promise<void> {
  const processFile = join(dataDirectory, PROCESS_FILE);
  const [pid = '', socketPath = ''] = (await readFile(processFile, 'utf8').catch(() => '')).split('\n');
  if (!/^\d+$/.test(pid) || socketPath === '') return;
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while ((await commandLine(pid)).includes(socketPath)) {
    if (Date.now() > deadline)
      throw new Error(`redis-server (process ${pid}) still writes to ${dataDirectory}.`);
    askToStop(Number(pid));
    await delay(POLL_MS);
  }
  const socketDirectory = dirname(socketPath);
  if (basename(socketDirectory).startsWith(SOCKET_DIRECTORY_PREFIX)) {
    await rm(socketDirectory, { recursive: true, force: true });
  }
}

function askToStop(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    // It ended by itself in the meantime.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

async function commandLine(pid: string): Promise<string> {
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', `{ ${COMMAND_LINE}; } || true`, 'sh', pid]);
  return stdout;
}
