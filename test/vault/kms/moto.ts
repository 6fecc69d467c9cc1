/** moto's KMS, a Python emulator that really encrypts, if `moto_server` is installed. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { createWebServer } from '../../../dev/http/create-web-server.ts';
import { closeServer, listen } from '../../../dev/http/listen.ts';

/** A Python program, part of moto, not an npm package. */
const PROGRAM = 'moto_server';
const START_TIMEOUT_MS = 60_000;

export function motoInstalled(): boolean {
  try {
    execFileSync(PROGRAM, ['--help'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A running moto server with one KMS key. */
export async function startMoto(): Promise<{ url: string; keyArn: string; close(): Promise<void> }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = spawn(PROGRAM, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  try {
    await waitUntilReady(url, server);
    const client = new KMSClient({
      endpoint: url,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'AKIATEST000000000000', secretAccessKey: 'any' },
    });
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
    return { url, keyArn: KeyMetadata?.Arn ?? '', close: () => stop(server) };
  } catch (error) {
    await stop(server);
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createWebServer(() => new Response());
  const port = await listen(server);
  await closeServer(server);
  return port;
}

async function waitUntilReady(url: string, server: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline && server.exitCode === null) {
    const up = await fetch(`${url}/moto-api/`).then(
      () => true,
      () => false,
    );
    if (up) return;
    await delay(100);
  }
  throw new Error('moto did not start');
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, 'exit');
  server.kill('SIGTERM');
  await exited;
}
