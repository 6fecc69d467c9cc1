import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { startKv } from '../../../dev/kv/start-kv.ts';
import { hasRedisServer, post, runKv, temporaryDirectory } from './each-engine.ts';

/** A Redis that is nobody's child here, as a developer would have it. */
async function runRedisOnPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  server.close();
  await once(server, 'close');
  const settings = [
    '--bind',
    '127.0.0.1',
    '--port',
    String(port),
    '--save',
    '',
    '--dir',
    temporaryDirectory(),
  ];
  const child = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    const exited = once(child, 'exit');
    child.kill();
    await exited;
  });
  for await (const line of createInterface(child.stdout)) if (/ready to accept/i.test(line)) break;
  child.stdout.resume();
  return `redis://127.0.0.1:${port}`;
}

afterEach(() => vi.unstubAllEnvs());

test('without redis-server on the PATH it is the embedded engine', async () => {
  vi.stubEnv('PATH', temporaryDirectory());
  expect((await runKv({})).engine).toBe('embedded');
});

test('data of a redis-server that is gone is not passed over for an empty store', async () => {
  vi.stubEnv('PATH', temporaryDirectory());
  const dataDirectory = temporaryDirectory();
  mkdirSync(join(dataDirectory, 'appendonlydir'));
  await expect(startKv({ dataDirectory })).rejects.toThrow(
    /not on the PATH any more\. Install redis-server again; or/,
  );
});

test.skipIf(!hasRedisServer)('with redis-server on the PATH it is that', async () => {
  expect((await runKv({})).engine).toBe('redis-server');
});

test.skipIf(!hasRedisServer)('the engine whose data is in the directory goes on', async () => {
  for (const engine of ['embedded', 'redis-server'] as const) {
    const dataDirectory = temporaryDirectory();
    const first = await runKv({ engine, dataDirectory });
    await post(first, ['SET', 'a', 1]);
    await first.close();
    const again = await runKv({ dataDirectory });
    expect(again.engine).toBe(engine);
    expect((await post(again, ['GET', 'a'])).body).toEqual({ result: '1' });
  }
});

test.skipIf(!hasRedisServer)('a Redis that already runs is used by its URL and left running', async () => {
  const server = await runRedisOnPort();
  const first = await runKv({ engine: new URL(server) });
  expect(first.engine).toBe('redis-url');
  await post(first, ['SET', 'a', 1]);
  await first.close();
  expect((await post(await runKv({ engine: new URL(server) }), ['GET', 'a'])).body).toEqual({ result: '1' });
});

test('a Redis that does not answer is an error at the start', async () => {
  await expect(startKv({ engine: new URL('redis://127.0.0.1:1') })).rejects.toThrow(/ECONNREFUSED/);
});
