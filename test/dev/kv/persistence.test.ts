import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startKv } from '../../../dev/kv/start-kv.ts';
import { clientOf, describeEachEngine, post, runKv, temporaryDirectory } from './each-engine.ts';

describeEachEngine('what is kept', (engine) => {
  test('every type of value is there after a restart, with its time to live', async () => {
    const dataDirectory = temporaryDirectory();
    const first = await runKv({ engine, dataDirectory });
    const writes = [
      ['SET', 'text', 'grün\r\n\u0000"'],
      ['SET', 'timed', 'a', 'EX', 1_000],
      ['HSET', 'hash', 'field', 'ü', '__proto__', 'p', '', 'empty'],
      ['HSET', 'timed hash', 'a', 1],
      ['PEXPIRE', 'timed hash', 1_000_000],
      ['RPUSH', 'list', 'a', 'b', 'a'],
      ['SADD', 'set', 'a', 'b'],
      ['ZADD', 'zset', '-inf', 'a', '1.5', 'b', 'inf', 'c'],
      ['XADD', 'log', '5-1', 'a', '1'],
      ['XADD', 'log', '*', 'a', '2', 'a', '3'],
      ['SET', 'unset', 1],
      ['DEL', 'unset'],
      ['SET', 'kept forever', 1, 'EX', 1_000],
      ['PERSIST', 'kept forever'],
    ];
    await post(first, writes, { path: '/pipeline' });
    const reads = [
      ['GET', 'text'],
      ['PEXPIRETIME', 'timed'],
      ['HGETALL', 'hash'],
      ['PEXPIRETIME', 'timed hash'],
      ['LRANGE', 'list', 0, -1],
      ['SCARD', 'set'],
      ['SISMEMBER', 'set', 'b'],
      ['ZRANGE', 'zset', 0, -1, 'WITHSCORES'],
      ['XRANGE', 'log', '-', '+'],
      ['EXISTS', 'unset'],
      ['TTL', 'kept forever'],
      ['DBSIZE'],
    ];
    const before = await post(first, reads, { path: '/pipeline' });
    await first.close();
    const second = await runKv({ engine, dataDirectory });
    expect(await post(second, reads, { path: '/pipeline' })).toEqual(before);
    // And a second time, from what the second one wrote.
    await second.close();
    expect(await post(await runKv({ engine, dataDirectory }), reads, { path: '/pipeline' })).toEqual(before);
  });

  test('values that came from the clock or from chance are the same after a restart', async () => {
    const dataDirectory = temporaryDirectory();
    const first = await runKv({ engine, dataDirectory });
    const kv = clientOf(first);
    const id = await kv.xadd('log', '*', { a: 1 });
    await kv.sadd('set', 'a', 'b', 'c', 'd', 'e', 'f');
    const popped = await kv.spop<string[]>('set', 3);
    const script = `
      local now = redis.call('TIME')
      redis.call('SET', KEYS[1], now[1] .. '.' .. now[2], 'EX', 1000)
      redis.call('XADD', KEYS[2], '*', 'member', redis.call('SRANDMEMBER', KEYS[3]))
      return redis.call('SPOP', KEYS[3])`;
    const poppedByScript = await kv.eval<string[], string>(script, ['at', 'log', 'set'], []);
    const at = await kv.get('at');
    const entries = await kv.xrange('log', '-', '+');
    await first.close();
    const again = clientOf(await runKv({ engine, dataDirectory }));
    expect(await again.get('at')).toBe(at);
    expect(Object.keys(entries)[0]).toBe(id);
    expect(await again.xrange('log', '-', '+')).toEqual(entries);
    expect(await again.scard('set')).toBe(2);
    for (const gone of [...(popped ?? []), poppedByScript])
      expect(await again.sismember('set', gone)).toBe(0);
  });

  test('a key whose time is over does not come back, nor what was in it', async () => {
    const dataDirectory = temporaryDirectory();
    const first = await runKv({ engine, dataDirectory });
    const kv = clientOf(first);
    await kv.hset('h', { old: 1 });
    await kv.pexpire('h', 1);
    await kv.set('counter', 41, { px: 1 });
    await expect.poll(() => kv.exists('h', 'counter')).toBe(0);
    await kv.hset('h', { fresh: 1 });
    await kv.incr('counter');
    await kv.set('soon', 1, { px: 1 });
    await first.close();
    await expect.poll(() => Date.now()).toBeGreaterThan(Date.now());
    const again = clientOf(await runKv({ engine, dataDirectory }));
    expect(await again.hgetall('h')).toEqual({ fresh: 1 });
    expect([await again.get('counter'), await again.ttl('counter')]).toEqual([1, -1]);
    expect(await again.exists('soon')).toBe(0);
  });

  test('a stream goes on after its last id, also when that entry was deleted', async () => {
    const dataDirectory = temporaryDirectory();
    const first = await runKv({ engine, dataDirectory });
    await post(first, ['XADD', 'log', '9999999999999-5', 'a', '1']);
    await post(first, ['XDEL', 'log', '9999999999999-5']);
    await first.close();
    const again = await runKv({ engine, dataDirectory });
    expect(await post(again, ['XADD', 'log', '9999999999999-5', 'a', '1'])).toMatchObject({ status: 400 });
    expect((await post(again, ['XADD', 'log', '*', 'a', '1'])).body).toEqual({ result: '9999999999999-6' });
  });

  test('what was flushed stays gone', async () => {
    const dataDirectory = temporaryDirectory();
    const first = await runKv({ engine, dataDirectory });
    await post(first, ['SET', 'a', 1]);
    await post(first, [['SET', 'c', 1], ['FLUSHDB'], ['SET', 'b', 1]], { path: '/pipeline' });
    await first.close();
    const again = await runKv({ engine, dataDirectory });
    expect((await post(again, ['KEYS', '*'])).body).toEqual({ result: ['b'] });
  });

  test('without a directory nothing is kept', async () => {
    const first = await runKv({ engine });
    await post(first, ['SET', 'a', 1]);
    await first.close();
    expect((await post(await runKv({ engine }), ['EXISTS', 'a'])).body).toEqual({ result: 0 });
  });
});

test('a second KV on the same directory is refused, and may start when the first has ended', async () => {
  const dataDirectory = temporaryDirectory();
  const first = await runKv({ dataDirectory });
  await expect(startKv({ dataDirectory })).rejects.toThrow(
    `already runs here, on the data in ${dataDirectory}. Stop it, or start`,
  );
  expect((await post(first, ['PING'])).status).toBe(200);
  await first.close();
  await runKv({ dataDirectory });
});

test('nobody but the owner can read the directory, or a file that is in it', async () => {
  const dataDirectory = join(temporaryDirectory(), 'made', 'here');
  const kv = await runKv({ dataDirectory });
  await post(kv, ['SET', 'a', 1]);
  expect(statSync(dataDirectory).mode & 0o777).toBe(0o700);
  const open = readdirSync(dataDirectory, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const file = statSync(join(dataDirectory, name));
    return file.size > 0 && (file.mode & 0o077) !== 0;
  });
  expect(open).toEqual([]);
});

test('a port that is taken is an error that leaves the directory free', async () => {
  const dataDirectory = temporaryDirectory();
  const taken = Number(new URL((await runKv({})).url).port);
  await expect(startKv({ dataDirectory, port: taken })).rejects.toThrow(/EADDRINUSE/);
  await runKv({ dataDirectory });
});
