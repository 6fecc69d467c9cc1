import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { connectRedis } from '../../../dev/kv/redis-connection.ts';
import {
  clientOf,
  describeEachEngine,
  type EngineName,
  hasRedisServer,
  post,
  runKv,
  temporaryDirectory,
} from './each-engine.ts';

const AddressSchema = z.object({ url: z.string(), token: z.string() });
const ROUNDS = 4;
const WRITERS = 8;
/** A process that has ended still has its number until init has taken note. */
const ENDED = { timeout: 10_000 };

async function serveKv(engine: EngineName, dataDirectory: string) {
  const script = join(import.meta.dirname, 'serve-kv.ts');
  const child = spawn(process.execPath, [script, engine, dataDirectory], {
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
  test('every write that was acknowledged is there after a restart, time after time', {
    timeout: 60_000,
  }, async () => {
    const dataDirectory = temporaryDirectory();
    const acknowledged = new Set<string>();
    let transactions = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const { child, kv } = await serveKv(engine, dataDirectory);
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
    const again = clientOf(await runKv({ engine, dataDirectory }));
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

  test('the directory of a killed process is free', { timeout: 30_000 }, async () => {
    const dataDirectory = temporaryDirectory();
    const { child, kv } = await serveKv(engine, dataDirectory);
    await expect(runKv({ engine, dataDirectory })).rejects.toThrow(/already runs here/);
    await post(kv, ['SET', 'a', 1]);
    await kill(child);
    expect((await post(await runKv({ engine, dataDirectory }), ['GET', 'a'])).body).toEqual({ result: '1' });
  });
});

describe.skipIf(!hasRedisServer)('a redis-server of our own', () => {
  const serverPid = (dataDirectory: string) =>
    Number(readFileSync(join(dataDirectory, 'redis-server.pid'), 'utf8').split('\n')[0]);

  function alive(pid: number): boolean {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  test('ends when its process is killed', { timeout: 30_000 }, async () => {
    const dataDirectory = temporaryDirectory();
    const { child } = await serveKv('redis-server', dataDirectory);
    const pid = serverPid(dataDirectory);
    expect(alive(pid)).toBe(true);
    await kill(child);
    await expect.poll(() => alive(pid), ENDED).toBe(false);
  });

  test('is stopped by the next start if nobody else stopped it', { timeout: 30_000 }, async () => {
    const dataDirectory = temporaryDirectory();
    const { child, kv } = await serveKv('redis-server', dataDirectory);
    await post(kv, ['SET', 'a', 1]);
    const pid = serverPid(dataDirectory);
    const watcher = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
      .split('\n')
      .find((line) => line.includes('cat > /dev/null') && line.includes(` ${pid} `));
    process.kill(Number(watcher?.trim().split(' ')[0]), 'SIGKILL');
    await kill(child);
    expect(alive(pid)).toBe(true);
    const again = await runKv({ engine: 'redis-server', dataDirectory });
    await expect.poll(() => alive(pid), ENDED).toBe(false);
    expect((await post(again, ['GET', 'a'])).body).toEqual({ result: '1' });
  });

  test('is not mistaken for another process that has its number now', { timeout: 30_000 }, async () => {
    const dataDirectory = temporaryDirectory();
    const { child } = await serveKv('redis-server', dataDirectory);
    const pidFile = join(dataDirectory, 'redis-server.pid');
    const pid = serverPid(dataDirectory);
    await kill(child);
    await expect.poll(() => alive(pid), ENDED).toBe(false);
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    onTestFinished(() => kill(bystander));
    const socketPath = readFileSync(pidFile, 'utf8').split('\n')[1];
    execFileSync('/bin/sh', [
      '-c',
      `printf '%s\\n%s\\n' "$1" "$2" > "$3"`,
      'sh',
      `${bystander.pid}`,
      `${socketPath}`,
      pidFile,
    ]);
    await runKv({ engine: 'redis-server', dataDirectory });
    expect([bystander.exitCode, bystander.signalCode]).toEqual([null, null]);
  });

  test('writes to the disk before it answers', async () => {
    const dataDirectory = temporaryDirectory();
    await runKv({ engine: 'redis-server', dataDirectory });
    const [, socketPath = ''] = readFileSync(join(dataDirectory, 'redis-server.pid'), 'utf8').split('\n');
    const server = await connectRedis({ socketPath });
    const settings = await server.execute([['CONFIG', 'GET', 'append*s*']], { atomic: false });
    expect(String(settings)).toContain('appendfsync,always');
    await server.close();
  });

  test('a server that dies under a running KV is told as 503, and ends with the KV', async () => {
    const dataDirectory = temporaryDirectory();
    const kv = await runKv({ engine: 'redis-server', dataDirectory });
    process.kill(serverPid(dataDirectory), 'SIGKILL');
    await expect.poll(async () => (await post(kv, ['PING'])).status).toBe(503);
    await kv.close();
  });
});
