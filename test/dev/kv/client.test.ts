import { expect, test } from 'vitest';
import { clientOf, describeEachEngine, hasRedisServer, runKv } from './each-engine.ts';

if (!hasRedisServer) process.stderr.write('No redis-server on the PATH: the KV suites for it are skipped\n');

describeEachEngine('what @vercel/kv asks for', (engine) => {
  test('strings, numbers and objects come back as they were set', async () => {
    const kv = clientOf(await runKv({ engine }));
    expect(await kv.set('text', 'grün 🔑')).toBe('OK');
    expect(await kv.get('text')).toBe('grün 🔑');
    await kv.set('object', { a: [1, null, 'ä'] });
    expect(await kv.get('object')).toEqual({ a: [1, null, 'ä'] });
    expect(await kv.get('missing')).toBeNull();
    expect(await kv.incr('counter')).toBe(1);
    expect(await kv.incrby('counter', 41)).toBe(42);
    expect(await kv.mget('text', 'missing', 'counter')).toEqual(['grün 🔑', null, 42]);
    expect(await kv.type('text')).toBe('string');
    expect(await kv.ping()).toBe('PONG');
  });

  test('the stored word OK is told apart from the status OK', async () => {
    const kv = clientOf(await runKv({ engine }));
    await kv.set('word', 'OK');
    expect(await kv.get('word')).toBe('OK');
    expect(await kv.mget('word', 'word')).toEqual(['OK', 'OK']);
    expect(await kv.eval("return {redis.status_reply('OK'), {redis.status_reply('OK')}}", [], [])).toEqual([
      'OK',
      ['OK'],
    ]);
  });

  test('hashes are written and read field by field', async () => {
    const kv = clientOf(await runKv({ engine }));
    expect(await kv.hset('keys', { gemini: 'a', exa: { sealed: true }, __proto: 'p' })).toBe(3);
    expect(await kv.hgetall('keys')).toEqual({ gemini: 'a', exa: { sealed: true }, __proto: 'p' });
    expect(await kv.hget('keys', 'gemini')).toBe('a');
    expect(await kv.hmget('keys', 'gemini', 'none')).toEqual({ gemini: 'a', none: null });
    expect(await kv.hdel('keys', 'gemini', 'none')).toBe(1);
    expect(await kv.hsetnx('keys', 'exa', 'other')).toBe(0);
    expect(await kv.hlen('keys')).toBe(2);
    expect(await kv.hincrby('keys', 'count', 2)).toBe(2);
    expect(await kv.hgetall('none')).toBeNull();
  });

  test('a key is gone when its time is over', async () => {
    const kv = clientOf(await runKv({ engine }));
    await kv.set('soon', 1, { px: 1 });
    await expect.poll(() => kv.exists('soon')).toBe(0);
    await kv.set('later', 1, { ex: 100 });
    expect(await kv.ttl('later')).toBeGreaterThan(90);
    expect(await kv.expire('later', 1_000)).toBe(1);
    expect(await kv.persist('later')).toBe(1);
    expect(await kv.ttl('later')).toBe(-1);
    expect(await kv.set('later', 2, { nx: true })).toBeNull();
  });

  test('streams are appended to, read both ways, trimmed and thinned out', async () => {
    const kv = clientOf(await runKv({ engine }));
    const first = await kv.xadd('log', '*', { action: 'save', at: 1 });
    const second = await kv.xadd('log', '*', { action: 'use', at: 2 });
    expect(await kv.xlen('log')).toBe(2);
    expect(await kv.xrange('log', '-', '+')).toEqual({
      [first]: { action: 'save', at: 1 },
      [second]: { action: 'use', at: 2 },
    });
    expect(Object.keys(await kv.xrevrange('log', `(${second}`, '-', 1))).toEqual([first]);
    expect(await kv.xdel('log', first)).toBe(1);
    for (const i of [1, 2, 3]) await kv.xadd('log', '*', { i });
    expect(await kv.xtrim('log', { strategy: 'MAXLEN', exactness: '=', threshold: 2 })).toBe(2);
    await kv.xadd('log', '*', { i: 4 }, { trim: { type: 'MAXLEN', comparison: '=', threshold: 1 } });
    expect(Object.values(await kv.xrange('log', '-', '+'))).toEqual([{ i: 4 }]);
  });

  test('sorted sets and sets', async () => {
    const kv = clientOf(await runKv({ engine }));
    expect(await kv.zadd('ranks', { score: 1.5, member: 'a' }, { score: 3, member: 'b' })).toBe(2);
    expect(await kv.zrange('ranks', 0, -1, { withScores: true })).toEqual(['a', 1.5, 'b', 3]);
    expect(await kv.zrange('ranks', 2, '+inf', { byScore: true })).toEqual(['b']);
    expect(await kv.zscore('ranks', 'a')).toBe(1.5);
    expect(await kv.zincrby('ranks', 2, 'a')).toBe(3.5);
    expect(await kv.zremrangebyscore('ranks', 0, 3)).toBe(1);
    await kv.sadd('set', 'x', 'y');
    expect((await kv.smembers('set')).sort()).toEqual(['x', 'y']);
    expect(await kv.sismember('set', 'x')).toBe(1);
  });

  test('scans find every key and every field', async () => {
    const kv = clientOf(await runKv({ engine }));
    const names = Array.from({ length: 250 }, (_, i) => `user:${i}`);
    await kv.mset(Object.fromEntries(names.map((name) => [name, 1])));
    await kv.set('other', 1);
    const found = new Set<string>();
    for await (const key of kv.scanIterator({ match: 'user:*', count: 20 })) found.add(key);
    expect([...found].sort()).toEqual([...names].sort());
    await kv.hset('hash', Object.fromEntries(names.map((name) => [name, 1])));
    const fields = new Set<unknown>();
    let cursor = '0';
    do {
      const [next, items] = await kv.hscan('hash', cursor, { count: 20 });
      for (const item of items) fields.add(item);
      cursor = next;
    } while (cursor !== '0');
    for (const name of names) expect(fields).toContain(name);
  });

  test('scripts run by text and by hash, and a hash that is not loaded is told', async () => {
    const kv = clientOf(await runKv({ engine }));
    const script =
      "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return redis.call('HGET', KEYS[1], ARGV[1])";
    expect(await kv.eval(script, ['h'], ['field', 'value'])).toBe('value');
    await expect(kv.evalsha('0'.repeat(40), ['h'], [])).rejects.toThrow(/NOSCRIPT/);
    const sha = await kv.scriptLoad('return {ARGV[1], #KEYS}');
    expect(await kv.evalsha(sha, ['h'], ['a'])).toEqual(['a', 1]);
    await expect(kv.eval("return redis.error_reply('CONFLICT version')", [], [])).rejects.toThrow(/CONFLICT/);
    await expect(kv.eval("return redis.call('INCR', KEYS[1])", ['h'], [])).rejects.toThrow(/WRONGTYPE/);
  });

  test('a pipeline answers each command in its place, a failed one too', async () => {
    const kv = clientOf(await runKv({ engine }));
    const answers = await kv
      .pipeline()
      .set('text', 'a')
      .incr('text')
      .hset('h', { a: 1 })
      .get('text')
      .exec({ keepErrors: true });
    expect(answers.map(({ error }) => error?.split(' ')[0])).toEqual([
      undefined,
      'ERR',
      undefined,
      undefined,
    ]);
    expect(answers.map(({ result }) => result)).toEqual(['OK', undefined, 1, 'a']);
  });

  test('a transaction goes on after a command that fails, as Redis does', async () => {
    const kv = clientOf(await runKv({ engine }));
    const answers = await kv
      .multi()
      .set('text', 'a')
      .incr('text')
      .set('text', 'b')
      .exec({ keepErrors: true });
    expect(answers[1]?.error).toMatch(/^ERR /);
    expect(await kv.get('text')).toBe('b');
  });

  test('nothing comes between the commands of a transaction', async () => {
    const kv = clientOf(await runKv({ engine }));
    const pairs = await Promise.all(
      Array.from({ length: 100 }, () => kv.multi().incr('shared').incr('shared').exec<[number, number]>()),
    );
    for (const [first, second] of pairs) expect(second).toBe(first + 1);
  });

  test('writes at the same time to one hash all stay', async () => {
    const kv = clientOf(await runKv({ engine }));
    await Promise.all(Array.from({ length: 100 }, (_, i) => kv.hset('keys', { [`provider-${i}`]: i })));
    expect(await kv.hlen('keys')).toBe(100);
  });
});
