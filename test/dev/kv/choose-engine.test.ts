import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isLocalRedis, startKv } from '../../../dev/kv/start-kv.ts';
import { startRedisServer } from '../../support/redis-server.ts';
import { hasRedisServer, post, runKv, temporaryDirectory } from './each-engine.ts';

test('without the URL of a Redis it is the embedded engine', async () => {
  expect((await runKv({})).engine).toBe('embedded');
});

test('data of an earlier version is not passed over for an empty store', async () => {
  const log = temporaryDirectory();
  writeFileSync(join(log, 'embedded.log'), 'userkeys kv log 1\n');
  await expect(startKv({ dataDirectory: log })).rejects.toThrow(
    `The data in ${log} (embedded.log) was written by an earlier version. Remove that directory to start over`,
  );
  const redis = temporaryDirectory();
  mkdirSync(join(redis, 'appendonlydir'));
  await expect(startKv({ dataDirectory: redis })).rejects.toThrow(
    `The data in ${redis} (appendonlydir) was written by an earlier version. Start redis-server on that directory and set REDIS_URL`,
  );
});

test.skipIf(!hasRedisServer)('a Redis that already runs is used by its URL and left running', async () => {
  const { url: redisUrl, close } = await startRedisServer();
  onTestFinished(close);
  const first = await runKv({ redisUrl });
  expect(first.engine).toBe('redis');
  await post(first, ['SET', 'a', 1]);
  await first.close();
  expect((await post(await runKv({ redisUrl }), ['GET', 'a'])).body).toEqual({ result: '1' });
});

test('a Redis that does not answer is an error at the start', async () => {
  await expect(startKv({ redisUrl: 'redis://127.0.0.1:1' })).rejects.toThrow(/ECONNREFUSED/);
});

test('a Redis on another machine is refused', async () => {
  for (const redisUrl of ['redis://redis.example:6379', 'rediss://127.0.0.1', 'http://127.0.0.1', 'x']) {
    expect(isLocalRedis(redisUrl)).toBe(false);
    await expect(startKv({ redisUrl })).rejects.toThrow(
      'REDIS_URL must be a redis:// address of this machine',
    );
  }
  for (const redisUrl of ['redis://127.0.0.1', 'redis://:secret@localhost:6379/1', 'redis://[::1]:6379']) {
    expect(isLocalRedis(redisUrl)).toBe(true);
  }
});
