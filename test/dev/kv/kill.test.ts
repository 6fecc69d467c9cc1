import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startRedisServer } from '../../support/redis-server.ts';
import {
  clientOf,
  describeEachEngine,
  hasRedisServer,
  post,
  runKv,
  temporaryDirectory,
} from './each-engine.ts';

const AddressSchema = z.object({ url: z.string(), token: z.string() });
const ROUNDS = 4;
const WRITERS = 8;

async function serveKv(options: { dataDirectory: string } | { redisUrl: string }) {
  const script = join(import.meta.dirname, 'serve-kv.ts');
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => kill(child));
  for await (const line of createInterface(child.stdout)) {
    return { child, kv: AddressSchema.parse(JSON.parse(line)) };
  }
  throw new Error('The KV did not start');
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

describeEachEngine('kill -9', (engine) => {
  /** Where the data outlives a KV. */
  async function kept(): Promise<{ dataDirectory: string } | { redisUrl: string }> {
    if (engine === 'embedded') return { dataDirectory: temporaryDirectory() };
    const redis = await startRedisServer();
    onTestFinished(() => redis.close());
    return { redisUrl: redis.url };
  }

  test('every write that was acknowledged is there after a restart, time after time', {
    timeout: 60_000,
  }, async () => {
    const options = await kept();
    const acknowledged = new Set<string>();
    let transactions = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const { child, kv } = await serveKv(options);
      const client = clientOf(kv);
      let killed: Promise<void> | undefined;
      const enough = acknowledged.size + 60 * round;
      await Promise.all(
        Array.from({ length: WRITERS }, async (_, writer) => {
          for (let i = 0; ; i++) {
            const name = `${round}-${writer}-${i}`;
            try {
              await client
                .pipeline()
                .set(`key ${name}`, name)
                .hset('hash', { [name]: 1 })
                .exec();
              await client.xadd('log', '*', { name });
              acknowledged.add(name);
              await client.multi().incr('left').set('between', name).incr('right').exec();
              transactions++;
            } catch {
              return;
            }
            if (acknowledged.size >= enough) killed ??= kill(child);
          }
        }),
      );
      await killed;
    }
    const again = clientOf(await runKv(options));
    const names = [...acknowledged];
    expect(names.length).toBeGreaterThan(60 * ROUNDS);
    expect(await again.mget(...names.map((name) => `key ${name}`))).toEqual(names);
    const fields = await again.hgetall<Record<string, number>>('hash');
    expect(names.filter((name) => fields?.[name] !== 1)).toEqual([]);
    const logged = new Set(Object.values(await again.xrange('log', '-', '+')).map(({ name }) => name));
    expect(names.filter((name) => !logged.has(name))).toEqual([]);
    const [left, right] = await again.mget<[number, number]>('left', 'right');
    expect(left).toBe(right);
    expect(left).toBeGreaterThanOrEqual(transactions);
  });
});

test('the directory of a killed process is free', { timeout: 30_000 }, async () => {
  const dataDirectory = temporaryDirectory();
  const { child, kv } = await serveKv({ dataDirectory });
  await expect(runKv({ dataDirectory })).rejects.toThrow(/already runs here/);
  await post(kv, ['SET', 'a', 1]);
  await kill(child);
  expect((await post(await runKv({ dataDirectory }), ['GET', 'a'])).body).toEqual({ result: '1' });
});

test.skipIf(!hasRedisServer)(
  'a Redis that dies under a running KV is told as 503, and the KV still closes',
  async () => {
    const redis = await startRedisServer();
    onTestFinished(() => redis.close());
    const kv = await runKv({ redisUrl: redis.url });
    expect((await post(kv, ['PING'])).status).toBe(200);
    await redis.kill();
    await expect.poll(async () => (await post(kv, ['PING'])).status).toBe(503);
    await kv.close();
  },
);
