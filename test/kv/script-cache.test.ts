/** A script's source travels once. Afterwards its SHA-1 names it, and a store that has lost it gets the source again. */
import { createHash } from 'node:crypto';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { startKv } from '../../dev/kv/start-kv.ts';
import { createKv } from '../../lib/kv/kv.ts';
import { combineQueries, count, query, scriptQuery } from '../../lib/kv/query.ts';
import { MAX_SCRIPT_LOSS_COUNT } from '../../lib/limits.ts';
import { bodyOf } from '../../lib/outgoing/body.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import { Secret } from '../../lib/secret.ts';
import { redisServerInstalled, startRedisServer } from '../support/redis-server.ts';

type Requests = (readonly (readonly string[])[])[];

const INCREMENT = `return redis.call('INCR', KEYS[1]) -- ${'a long script '.repeat(20)}`;
const SHA = createHash('sha1').update(INCREMENT).digest('hex');

const increment = scriptQuery({ source: INCREMENT, keys: ['n'], args: [] }, count);
const read = query(
  (pipeline) => pipeline.get('n').hmget('h', 'f'),
  z.tuple([z.string().nullable(), z.unknown()]),
);
const scriptFlush = ['SCRIPT', 'FLUSH'];

async function startStore(redisUrl?: string) {
  const requests: Requests = [];
  const store = await startKv({
    onRequest: (commands) => void requests.push(commands),
    ...(redisUrl === undefined ? {} : { redisUrl }),
  });
  onTestFinished(() => store.close());
  const kv = createKv({ url: store.url, token: new Secret(store.token) }, createUndiciSend());
  /** The names of the commands of each request since the last look. */
  const sent = () => requests.splice(0).map((commands) => commands.map(([name]) => name));
  const loseScripts = async () => {
    const answer = await fetch(store.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${store.token}` },
      body: JSON.stringify(scriptFlush),
    });
    expect(await answer.json()).toEqual({ result: 'OK' });
    requests.pop();
  };
  /** The SHA-1 is computed beside the first call. */
  const knowScript = () =>
    vi.waitFor(async () => {
      await kv.run(increment);
      expect(sent().at(-1)).toEqual(['evalsha']);
    });
  return { kv, sent, requests, loseScripts, knowScript };
}

const engines = ['embedded', ...(redisServerInstalled() ? ['redis-server'] : [])];

describe.each(engines)('with the engine %s', (engine) => {
  const start = async () => {
    if (engine === 'embedded') return startStore();
    const redis = await startRedisServer();
    onTestFinished(() => redis.close());
    return startStore(redis.url);
  };

  test('a script is sent whole once, and then by its SHA-1, in one request', async () => {
    const { kv, sent, requests, knowScript } = await start();
    expect(await kv.run(increment)).toBe(1);
    expect(sent()).toEqual([['eval']]);
    await knowScript();
    const [before] = await kv.run(combineQueries(increment, read));
    expect(requests).toEqual([
      [
        ['evalsha', SHA, '1', 'n'],
        ['get', 'n'],
        ['hmget', 'h', 'f'],
      ],
    ]);
    sent();
    expect(await kv.run(increment)).toBe(before + 1);
    expect(sent()).toEqual([['evalsha']]);
  });

  test('a store that has lost its scripts gets the source, and every command has run once', async () => {
    const { kv, sent, loseScripts, knowScript } = await start();
    await knowScript();
    const before = await kv.run(increment);
    sent();
    await loseScripts();
    const [after, [stored]] = await kv.run(combineQueries(increment, read));
    expect(after).toBe(before + 1);
    expect(stored).toBe(String(after));
    expect(sent()).toEqual([
      ['evalsha', 'get', 'hmget'],
      ['eval', 'get', 'hmget'],
    ]);
    expect(await kv.run(increment)).toBe(after + 1);
    expect(sent()).toEqual([['evalsha']]);
  });

  test('a script beside another command that writes is always sent whole, so that nothing is written twice', async () => {
    const { kv, sent, loseScripts, knowScript } = await start();
    await knowScript();
    await loseScripts();
    const add = query((pipeline) => pipeline.incr('other'), z.tuple([count]));
    for (const times of [1, 2]) {
      const [[added]] = await kv.run(combineQueries(add, increment));
      expect(added).toBe(times);
    }
    await kv.run(combineQueries(increment, increment));
    expect(sent()).toEqual([
      ['incr', 'eval'],
      ['incr', 'eval'],
      ['eval', 'eval'],
    ]);
  });

  test('the error of a script that the store has is an outage, as before', async () => {
    const { kv, sent } = await start();
    const failing = scriptQuery(
      { source: `if ARGV[1] == '1' then error('NOSCRIPT, it says') end return 1`, keys: [], args: ['1'] },
      count,
    );
    for (let tries = 0; tries < 3; tries += 1) {
      await expect(kv.run(failing)).rejects.toMatchObject({ code: 'store_unavailable' });
    }
    expect(sent()).toEqual([['eval'], ['eval'], ['eval']]);
  });
});

test('a store that loses a script again and again gets its source with every call', async () => {
  const { kv, sent, loseScripts, knowScript } = await startStore();
  await knowScript();
  for (let losses = 0; losses < MAX_SCRIPT_LOSS_COUNT; losses += 1) {
    await loseScripts();
    await kv.run(increment);
    expect(sent()).toEqual([['evalsha'], ['eval']]);
  }
  await kv.run(increment);
  await kv.run(increment);
  expect(sent()).toEqual([['eval'], ['eval']]);
});

test('of many calls under way when a script is lost, each succeeds and counts once', async () => {
  const { kv, sent, loseScripts, knowScript } = await startStore();
  await knowScript();
  const before = await kv.run(increment);
  sent();
  await loseScripts();
  const counted = await Promise.all(Array.from({ length: 20 }, () => kv.run(increment)));
  expect(counted.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => before + 1 + index));
  await kv.run(increment);
  expect(sent().at(-1)).toEqual(['evalsha']);
});

test('a store that answers more or fewer commands than it got is an outage', async () => {
  for (const body of ['[]', '[{"result":1},{"result":1}]']) {
    const kv = createKv({ url: 'http://store.invalid', token: new Secret('token') }, async () => ({
      status: 200,
      headers: new Headers(),
      body: bodyOf(new Blob([body]).stream()),
    }));
    await expect(kv.run(increment)).rejects.toMatchObject({
      code: 'store_unavailable',
      reason: 'store_answer_unexpected',
    });
  }
});
