// The same guarantees for every engine: each suite runs once on the embedded one and once on a redis-server that
// the test starts, where it is installed.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@vercel/kv';
import { describe, onTestFinished } from 'vitest';
import { type RunningKv, startKv } from '../../../dev/kv/start-kv.ts';
import { redisServerInstalled, startRedisServer } from '../../support/redis-server.ts';

export type EngineName = 'embedded' | 'redis-server';

export const hasRedisServer = redisServerInstalled();

export function describeEachEngine(title: string, suite: (engine: EngineName) => void): void {
  describe(`${title} (embedded)`, () => suite('embedded'));
  describe.skipIf(!hasRedisServer)(`${title} (redis-server)`, () => suite('redis-server'));
}

/** A directory that is gone when the test is over. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'userkeys-kv-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

type KvOptions = { engine?: EngineName; dataDirectory?: string; redisUrl?: string; onRequest?: OnRequest };
type OnRequest = (commands: readonly (readonly string[])[]) => void;

/** A KV that is closed when the test is over, if the test has not closed it; its redis-server too. */
export async function runKv({ engine, ...options }: KvOptions): Promise<RunningKv> {
  const redis = engine === 'redis-server' ? await startRedisServer(options.dataDirectory) : undefined;
  const kv = await startKv(redis === undefined ? options : { ...options, redisUrl: redis.url });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= kv.close().finally(() => redis?.close());
    return closed;
  };
  onTestFinished(close);
  return { ...kv, close };
}

/** The client the app uses, without what would hide a failure or change what is sent. */
export function clientOf({ url, token }: { url: string; token: string }) {
  return createClient({ url, token, retry: false, enableAutoPipelining: false });
}

/** One request, as the protocol has it, and its answer. */
export async function post(
  kv: { url: string; token: string },
  body: unknown,
  { path = '/', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(kv.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${kv.token}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}
