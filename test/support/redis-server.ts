import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { LOOPBACK } from '../../dev/http/listen.ts';

export type RedisServer = {
  readonly url: string;
  /** Ends it at once, as a crash. */
  kill(): Promise<void>;
  close(): Promise<void>;
};

export function redisServerInstalled(): boolean {
  try {
    execFileSync('redis-server', ['--version']);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a redis-server on loopback, as a developer would have it. With a directory it keeps its data there, each
 * write before it is answered; without one it keeps nothing.
 */
export async function startRedisServer(dataDirectory?: string): Promise<RedisServer> {
  const directory = dataDirectory ?? (await mkdtemp(join(tmpdir(), 'userkeys-redis-')));
  const port = await freePort();
  const persistence = dataDirectory === undefined ? ['no'] : ['yes', '--appendfsync', 'always'];
  const settings = ['--bind', LOOPBACK, '--port', `${port}`, '--save', '', '--dir', directory];
  const child = spawn('redis-server', [...settings, '--appendonly', ...persistence], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let isReady = false;
  for await (const line of createInterface(child.stdout)) {
    isReady = /ready to accept/i.test(line);
    if (isReady) break;
  }
  if (!isReady) throw new Error('redis-server did not start.');
  child.stdout.resume();

  async function end(signal: NodeJS.Signals): Promise<void> {
    child.kill(signal);
    await exited;
    if (dataDirectory === undefined) await rm(directory, { recursive: true, force: true });
  }
  return { url: `redis://${LOOPBACK}:${port}`, kill: () => end('SIGKILL'), close: () => end('SIGTERM') };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port is free.');
  return address.port;
}
