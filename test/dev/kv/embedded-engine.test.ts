import { describe, expect, test } from 'vitest';
import { openEmbeddedEngine } from '../../../dev/kv/embedded-engine.ts';
import { post, runKv, temporaryDirectory } from './each-engine.ts';

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

test('a field that expires by itself still does after a restart', async () => {
  const dataDirectory = temporaryDirectory();
  const first = await openEmbeddedEngine({ dataDirectory });
  await first.execute(
    [
      ['HSET', 'h', 'timed', '1', 'lasting', '1'],
      ['HEXPIRE', 'h', '1000', 'FIELDS', '1', 'timed'],
    ],
    { atomic: true },
  );
  await first.close();
  const again = await openEmbeddedEngine({ dataDirectory });
  const left = await again.execute([['HTTL', 'h', 'FIELDS', '2', 'timed', 'lasting']], { atomic: false });
  expect(left).toEqual([[expect.toSatisfy((seconds) => seconds > 900), -1]]);
  await again.close();
});

test('batches that arrive at the same time run one after the other', async () => {
  const engine = await openEmbeddedEngine({ dataDirectory: undefined });
  const pair = [
    ['INCR', 'n'],
    ['EVAL', "return redis.call('INCR', KEYS[1])", '1', 'n'],
  ];
  const answers = await Promise.all(Array.from({ length: 20 }, () => engine.execute(pair, { atomic: true })));
  expect(answers).toEqual(answers.map((_, i) => [2 * i + 1, 2 * i + 2]));
  await engine.close();
});

describe('restarted after any commands', () => {
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

  test.each([1, 2, 3, 4, 5])('it holds what it held (seed %i)', { timeout: 30_000 }, async (seed) => {
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
      () => ['HEXPIRE', key(), '1000', 'FIELDS', '1', word()],
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
