import { request } from 'node:http';
import { expect, test } from 'vitest';
import { MAX_BODY_BYTES } from '../../../dev/kv/rest-request.ts';
import { describeEachEngine, post, runKv } from './each-engine.ts';

describeEachEngine('the REST protocol', (engine) => {
  test('nothing is answered without the token, and the token is not told', async () => {
    const kv = await runKv({ engine });
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: `Basic ${kv.token}` }]) {
      const response = await fetch(kv.url, { method: 'POST', headers, body: '["PING"]' });
      expect(response.status).toBe(401);
      expect(await response.json()).toEqual({ error: 'Unauthorized' });
    }
  });

  test('a command in the path, its options in the query, its last argument in the body', async () => {
    const kv = await runKv({ engine });
    const headers = { authorization: `Bearer ${kv.token}` };
    const ask = async (path: string, init: RequestInit = {}) =>
      (await fetch(kv.url + path, { headers, ...init })).json();
    expect(await ask('/set/a%2Fb/gr%C3%BCn?EX=100&NX')).toEqual({ result: 'OK' });
    expect(await ask('/get/a%2Fb')).toEqual({ result: 'grün' });
    expect(await ask('/set/body', { method: 'POST', body: '{"any": "text"}' })).toEqual({ result: 'OK' });
    expect(await ask(`/get/body?_token=${kv.token}`, { headers: {} })).toEqual({ result: '{"any": "text"}' });
    expect((await fetch(`${kv.url}/get/%zz`, { headers })).status).toBe(400);
    expect((await fetch(`${kv.url}/`, { headers })).status).toBe(400);
    expect((await fetch(kv.url, { headers, method: 'DELETE' })).status).toBe(405);
  });

  test('every kind of reply has its own shape', async () => {
    const kv = await runKv({ engine });
    const script = "return {1, 'ü', false, {2, {'b'}}, redis.status_reply('OK')}";
    const plain = await post(kv, ['EVAL', script, 0]);
    expect(plain).toEqual({ status: 200, body: { result: [1, 'ü', null, [2, ['b']], 'OK'] } });
    const encoded = await post(kv, ['EVAL', script, 0], { headers: { 'upstash-encoding': 'base64' } });
    expect(encoded.body).toEqual({ result: [1, 'w7w=', null, [2, ['Yg==']], 'T0s='] });
    const inBase64 = { path: '/pipeline', headers: { 'upstash-encoding': 'base64' } };
    expect((await post(kv, [['SET', 'word', 'OK'], ['GET', 'word'], ['PING']], inBase64)).body).toEqual([
      { result: 'OK' },
      { result: 'T0s=' },
      { result: 'UE9ORw==' },
    ]);
    await post(kv, ['HSET', 'h', 'a', 1, 'b', true]);
    expect(await post(kv, ['HGETALL', 'h'])).toEqual({
      status: 200,
      body: { result: ['a', '1', 'b', 'true'] },
    });
    expect(await post(kv, ['GET', 'none'])).toEqual({ status: 200, body: { result: null } });
  });

  test('any bytes survive, and come back in base64', async () => {
    const kv = await runKv({ engine });
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await fetch(`${kv.url}/set/bytes`, {
      method: 'POST',
      headers: { authorization: `Bearer ${kv.token}` },
      body: bytes,
    });
    const { body } = await post(kv, ['GET', 'bytes'], { headers: { 'upstash-encoding': 'base64' } });
    expect(body).toEqual({ result: bytes.toString('base64') });
  });

  test('a failed command is 400 alone and an error in its place in a pipeline', async () => {
    const kv = await runKv({ engine });
    await post(kv, ['SET', 'text', 'a']);
    expect(await post(kv, ['HGET', 'text', 'f'])).toEqual({
      status: 400,
      body: { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' },
    });
    expect((await post(kv, ['NOSUCH', 'a'])).status).toBe(400);
    const { status, body } = await post(kv, [['GET', 'text'], ['GET'], ['GET', 'text']], {
      path: '/pipeline',
    });
    expect(status).toBe(200);
    expect(body).toEqual([
      { result: 'a' },
      { error: "ERR wrong number of arguments for 'get' command" },
      { result: 'a' },
    ]);
  });

  test.each([
    ['unknown', ['NOSUCH']],
    ['wrong number of arguments', ['SET', 'a']],
    ['refused', ['SUBSCRIBE', 'a']],
  ])('a transaction with a command that cannot run (%s) runs none', async (_, broken) => {
    const kv = await runKv({ engine });
    const { status, body } = await post(kv, [['SET', 'a', 1], broken], { path: '/multi-exec' });
    expect(status).toBe(400);
    expect(body).toEqual({ error: expect.stringMatching(/^EXECABORT .*ERR/) });
    expect(await post(kv, ['EXISTS', 'a'])).toEqual({ status: 200, body: { result: 0 } });
    expect(await post(kv, [['INCR', 'a']], { path: '/multi-exec' })).toEqual({
      status: 200,
      body: [{ result: 1 }],
    });
  });

  test.each([
    ['SUBSCRIBE', 'channel'],
    ['MONITOR'],
    ['BLPOP', 'list', 0],
    ['XREAD', 'BLOCK', 0, 'STREAMS', 'log', '$'],
    ['MULTI'],
    ['select', 1],
    ['SHUTDOWN'],
    ['CONFIG', 'SET', 'appendonly', 'no'],
  ])('%s is refused, with the reason', async (...command) => {
    const kv = await runKv({ engine });
    const { status, body } = await post(kv, command);
    expect(status).toBe(400);
    expect(body).toEqual({ error: expect.stringMatching(/^ERR Command is not available: '[A-Z]+': .+/) });
    const around = [['SET', 'a', 1], command, ['GET', 'a']];
    expect(await post(kv, around, { path: '/pipeline' })).toEqual({
      status: 200,
      body: [{ result: 'OK' }, body, { result: '1' }],
    });
  });

  test.each([['{"a":'], ['"PING"'], ['[]'], ['[["PING"]]'], ['[null]'], ['["SET","a",{}]'], ['']])(
    'a body that is no command (%s) is 400',
    async (body) => {
      const kv = await runKv({ engine });
      expect(await post(kv, body)).toEqual({ status: 400, body: { error: expect.stringMatching(/^ERR /) } });
    },
  );

  test('a body over 10 MB is 413, also when its length is not told', async () => {
    const kv = await runKv({ engine });
    const tooLong = 'x'.repeat(MAX_BODY_BYTES + 1);
    for (const headers of [
      { 'content-length': String(tooLong.length) },
      { 'transfer-encoding': 'chunked' },
    ]) {
      const status = await new Promise((resolve, reject) => {
        const sent = request(kv.url, {
          method: 'POST',
          headers: { authorization: `Bearer ${kv.token}`, ...headers },
        });
        let answered = false;
        sent.once('response', (response) => {
          answered = true;
          resolve(response.statusCode);
          response.resume();
        });
        // The connection may end while the rest of the body is still being sent.
        sent.on('error', (error) => answered || reject(error));
        sent.end(tooLong);
      });
      expect(status).toBe(413);
    }
    expect((await post(kv, ['PING'])).status).toBe(200);
  });

  test('a large value within the cap is stored whole', async () => {
    const kv = await runKv({ engine });
    const value = 'ü'.repeat(2_000_000);
    expect((await post(kv, ['SET', 'large', value])).status).toBe(200);
    expect((await post(kv, ['GET', 'large'])).body).toEqual({ result: value });
  });

  test('every request is told, once, with its commands', async () => {
    const told: unknown[] = [];
    const kv = await runKv({ engine, onRequest: (commands) => told.push(commands) });
    await post(kv, ['SET', 'a', 1]);
    await post(kv, [['GET', 'a'], ['PING']], { path: '/pipeline' });
    await post({ ...kv, token: 'wrong' }, ['PING']);
    expect(told).toEqual([[['SET', 'a', '1']], [['GET', 'a'], ['PING']]]);
  });
});
