import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openEmbeddedEngine } from '../../../dev/kv/embedded-engine.ts';
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

  test('what the clock or chance decided is as it was answered', async () => {
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
    await post(first, [['SET', 'a', 1], ['FLUSHDB'], ['SET', 'b', 1]], { path: '/pipeline' });
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

  test('a second KV on the same directory is refused, and may start when the first has ended', async () => {
    const dataDirectory = temporaryDirectory();
    const first = await runKv({ engine, dataDirectory });
    await expect(startKv({ engine, dataDirectory })).rejects.toThrow(`already running on ${dataDirectory}`);
    expect((await post(first, ['PING'])).status).toBe(200);
    await first.close();
    await runKv({ engine, dataDirectory });
  });

  test('nobody but the owner can read the directory', async () => {
    const dataDirectory = join(temporaryDirectory(), 'made', 'here');
    const kv = await runKv({ engine, dataDirectory });
    await post(kv, ['SET', 'a', 1]);
    expect(statSync(dataDirectory).mode & 0o777).toBe(0o700);
  });

  test('a port that is taken is an error that leaves the directory free', async () => {
    const dataDirectory = temporaryDirectory();
    const taken = Number(new URL((await runKv({ engine: 'embedded' })).url).port);
    await expect(startKv({ engine, dataDirectory, port: taken })).rejects.toThrow(/EADDRINUSE/);
    await runKv({ engine, dataDirectory });
  });
});

describe('the embedded engine against itself, restarted', () => {
  /** Mulberry32: small, and the same everywhere, so that a failure can be had again. */
  function randomFrom(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    };
  }

  test('refuses what it would not keep, to scripts too', async () => {
    const kv = await runKv({ engine: 'embedded' });
    await post(kv, ['XADD', 'log', '1-1', 'a', '1']);
    const unavailable = {
      status: 400,
      body: { error: expect.stringMatching(/not available: 'X(SETID|GROUP)'/) },
    };
    expect(await post(kv, ['XSETID', 'log', '5-5'])).toEqual(unavailable);
    expect(await post(kv, ['XGROUP', 'CREATE', 'log', 'group', '$'])).toEqual(unavailable);
    const script = "return redis.call('XSETID', KEYS[1], '5-5')";
    expect(await post(kv, ['EVAL', script, 1, 'log'])).toEqual(unavailable);
  });

  test.each([1, 2, 3, 4, 5])('holds the same after any commands (seed %i)', async (seed) => {
    const dataDirectory = temporaryDirectory();
    const random = randomFrom(seed);
    const pick = (words: string) => words.split(' ')[random(words.split(' ').length)] ?? '';
    const key = () => pick('a b c d e');
    const word = () => pick('x y z ü \u0000 __proto__ 1 -7 2.5');
    const commands: (() => string[])[] = [
      () => ['SET', key(), word()],
      () => ['SET', key(), word(), 'PX', pick('1 100000')],
      () => ['SET', key(), word(), 'KEEPTTL'],
      () => ['INCRBY', key(), '3'],
      () => ['APPEND', key(), word()],
      () => ['DEL', key()],
      () => ['RENAME', key(), key()],
      () => ['COPY', key(), key(), 'REPLACE'],
      () => ['GETDEL', key()],
      () => ['GETEX', key(), 'EX', '1000'],
      () => ['HSET', key(), word(), word()],
      () => ['HDEL', key(), word()],
      () => ['HPEXPIRE', key(), pick('1 100000'), 'FIELDS', '1', word()],
      () => ['SADD', key(), word(), word()],
      () => ['SPOP', key()],
      () => ['SMOVE', key(), key(), word()],
      () => ['SINTERSTORE', key(), key(), key()],
      () => ['ZADD', key(), pick('1 2.5 -inf'), word()],
      () => ['ZINCRBY', key(), '0.1', word()],
      () => ['ZREMRANGEBYRANK', key(), '0', '0'],
      () => ['ZPOPMAX', key()],
      () => ['ZUNIONSTORE', key(), '2', key(), key()],
      () => ['RPUSH', key(), word(), word()],
      () => ['LPOP', key()],
      () => ['LMOVE', key(), key(), 'LEFT', 'RIGHT'],
      () => ['LSET', key(), '0', word()],
      () => ['XADD', key(), '*', word(), word()],
      () => ['XADD', key(), 'MAXLEN', '=', '2', '*', word(), word()],
      () => ['XTRIM', key(), 'MAXLEN', '1'],
      () => ['XSETID', key(), '9999999999999-9'],
      () => ['EXPIRE', key(), pick('100 -1')],
      () => ['PEXPIRE', key(), '1'],
      () => ['PERSIST', key()],
      () => ['SETBIT', key(), '9', '1'],
      () => ['PFADD', key(), word()],
      () => (random(20) === 0 ? ['FLUSHALL'] : ['PING']),
      () => ['EVAL', "redis.call('INCR', KEYS[1]) error('after a write')", '1', key()],
      () => [
        'EVAL',
        "redis.call('DEL', KEYS[1]) redis.call('HSET', KEYS[1], 'a', ARGV[1])",
        '1',
        key(),
        word(),
      ],
    ];
    const reads = [...'abcde'].flatMap((name) => [
      ['TYPE', name],
      ['PEXPIRETIME', name],
      ['GET', name],
      ['EVAL', "local h = redis.call('HGETALL', KEYS[1]) table.sort(h) return h", '1', name],
      ['HPEXPIRETIME', name, 'FIELDS', '3', 'x', 'y', 'z'],
      ['LRANGE', name, '0', '-1'],
      ['SORT', name, 'ALPHA'],
      ['ZRANGE', name, '0', '-1', 'WITHSCORES'],
      ['XRANGE', name, '-', '+'],
      ['XINFO', 'STREAM', name],
    ]);
    for (let round = 0; round < 6; round++) {
      const engine = await openEmbeddedEngine({ dataDirectory });
      for (let i = 0; i < 80; i++) {
        const batch = Array.from(
          { length: 1 + random(3) },
          () => commands[random(commands.length)]?.() ?? [],
        );
        await engine.execute(batch, { atomic: random(2) === 0 });
      }
      // Nothing that ends in the next moments may be left to end between the two readings.
      const started = Date.now();
      await expect.poll(() => Date.now()).toBeGreaterThan(started + 5);
      const before = await engine.execute(reads, { atomic: false });
      await engine.close();
      const again = await openEmbeddedEngine({ dataDirectory });
      expect(await again.execute(reads, { atomic: false })).toEqual(before);
      await again.close();
    }
  });
});
