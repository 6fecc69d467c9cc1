/** A call that uses a key leaves a trace before the provider is called, and takes a place among the calls in progress. */
import { readFile } from 'node:fs/promises';
import { createClient } from '@vercel/kv';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEntry } from '../../lib/audit/audit-entry.ts';
import { runWithKeys } from '../../lib/keys/code-scope.ts';
import { MAX_CALL_SECONDS } from '../../lib/limits.ts';
import { type Send, SendError } from '../../lib/outgoing/send.ts';
import { findTraces } from '../account/store-dump.ts';
import { type Answer, events, usual } from '../support/answers.ts';
import { type CallInit, call } from '../support/call.ts';
import { composeInWorld } from '../support/compose-in-world.ts';
import { requestsBeforeResponses } from '../support/kv-requests.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey, userId } from '../support/user-ids.ts';

let world: World;
let store: ReturnType<typeof createClient>;
let users = 0;
let sub: string;
let token: string;
let nowMs: number;
let service: ReturnType<typeof composeInWorld>;

beforeAll(async () => {
  world = await startWorld();
  store = createClient({ url: world.kv.url, token: world.kv.token, automaticDeserialization: false });
});
afterAll(() => world.close());
beforeEach(async () => {
  users += 1;
  sub = `begun-${users}`;
  nowMs = Date.now();
  const iat = Math.floor(nowMs / 1000);
  token = await world.tokenFor(sub, { iat, exp: iat + 86_000 });
  service = composeInWorld(world, { clock: () => new Date(nowMs) });
  await send('/api/keys/openai', { method: 'PUT', json: { key: newProviderKey() } });
  await service.settled();
  world.providers.reset();
});
afterEach(() => world.providers.reset());

type Service = typeof service;
const send = (path: string, init: CallInit = {}, to: Service = service) =>
  call(to.functions, path, { token, ...init });
const chat = (to?: Service, init: CallInit = {}) =>
  send('/api/proxy/openai/v1/chat/completions', { method: 'POST', json: { model: 'gpt-test' }, ...init }, to);
const readUses = async (to?: Service): Promise<readonly AuditEntry[]> => {
  const { entries } = await (await send('/api/audit', {}, to)).json();
  return entries.filter(({ action }: AuditEntry) => action === 'use');
};
const begun = async () =>
  Object.values((await store.hgetall<Record<string, string>>(kvKey('begun', sub))) ?? {});
/** Field names and values alternately, because this client does not deserialize. */
const begunCalls = async () => (await begun()).filter((_, index) => index % 2 === 1);

/** Answers of the provider that wait for `release`. */
function holdAnswers(answer: Answer) {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  world.providers.answerWith(async (recorded, response) => {
    await released;
    await answer(recorded, response);
  });
  return { release };
}

/** A stream whose last event, with the token counts, waits for `release`. */
function holdStream() {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const last = { model: 'gpt-test', usage: { prompt_tokens: 3, completion_tokens: 5 } };
  world.providers.answerWith(
    events([`data: {"choices":[]}`, `data: ${JSON.stringify(last)}`], {
      before: (index) => (index === 1 ? released : undefined),
    }),
  );
  return { release };
}

describe('a use is recorded before the provider is called', () => {
  test('in the one KV request of the call, and completed after the answer', async () => {
    const held = holdAnswers(usual);
    const before = requestsBeforeResponses(world);
    const calling = chat();
    await expect.poll(() => world.calls.length).toBe(1);
    expect(requestsBeforeResponses(world) - before).toBe(1);
    expect(await begunCalls()).toEqual([
      expect.stringMatching(new RegExp(`^${nowMs} ${new Date(nowMs).toISOString()} gateway openai$`)),
    ]);
    held.release();
    await (await calling).text();
    await service.settled();
    expect(await begunCalls()).toEqual([]);
    expect(await readUses()).toMatchObject([{ outcome: 'ok', model: 'gpt-test', inputTokens: 3 }]);
  });

  test('and a model that the caller names after a key is in no trace of it', async () => {
    const key = newProviderKey();
    await send('/api/keys/openai', { method: 'PUT', json: { key } });
    world.providers.reset();
    const held = holdAnswers(usual);
    const calling = chat(undefined, { json: { model: key } });
    await expect.poll(() => world.calls.length).toBe(1);
    expect((await findTraces(world.kv, sub)).join()).not.toContain(key);
    held.release();
    await (await calling).text();
    await service.settled();
  });

  test('and taken back when the answer of the store is lost', async () => {
    const deaf = composeInWorld(world, {
      clock: () => new Date(nowMs),
      sendToKv: (sendOn) => async (request) => {
        const answer = await sendOn(request);
        if (!String(request.body).includes('wantedCount')) return answer;
        await answer.body.cancel();
        throw new SendError('timeout');
      },
    });
    expect((await chat(deaf)).status).toBe(503);
    await deaf.settled();
    expect(world.calls).toEqual([]);
    expect(await begunCalls()).toEqual([]);
  });

  test.each([
    ['no key is stored', 'exa', {}],
    ['the key is paused', 'openai', { paused: true }],
    ['the daily limit is reached', 'openai', { callsPerDay: 0 }],
    ['the model is not allowed', 'openai', { models: ['gpt-other'] }],
  ])('but not a refused one: %s', async (_what, provider, guards) => {
    if (Object.keys(guards).length > 0) {
      await send('/api/keys/openai', { method: 'PATCH', json: { guards } });
    }
    const response = await send(`/api/proxy/${provider}/v1/models?model=x`);
    expect(response.ok).toBe(false);
    await service.settled();
    expect(await begunCalls()).toEqual([]);
    expect(world.calls.filter(({ target }) => target.includes('model=x'))).toEqual([]);
  });
});

describe('a call whose end was never recorded', () => {
  /** Starts a call that holds its stream, and lets more time pass than a function may run. */
  async function interrupt() {
    const held = holdStream();
    const response = await chat();
    expect(response.status).toBe(200);
    nowMs += MAX_CALL_SECONDS * 1000;
    return { response, held };
  }

  test('is shown as interrupted, once for any number of readers', async () => {
    const { response, held } = await interrupt();
    nowMs -= 1;
    expect(await readUses()).toEqual([]);
    nowMs += 1;
    const read = await Promise.all(Array.from({ length: 5 }, () => readUses()));
    for (const entries of read) {
      expect(entries).toHaveLength(1);
      expect(entries[0]).toMatchObject({
        route: 'gateway',
        provider: 'openai',
        outcome: 'interrupted',
        status: null,
        durationMs: null,
        model: null,
        requestId: response.headers.get('x-userkeys-request-id'),
      });
    }
    held.release();
    await response.text();
  });

  test('is entered by the next call too', async () => {
    const { response, held } = await interrupt();
    world.providers.answerWith(usual);
    await (await send('/api/proxy/openai/v1/models')).text();
    const key = kvKey('audit', sub);
    const stored = async () => JSON.stringify(await store.xrange(key, '-', '+'));
    expect((await stored()).match(/"interrupted"/g)).toHaveLength(1);
    held.release();
    await response.text();
  });

  test('and that ends after all is shown as it ended, once, with its usage', async () => {
    const { response, held } = await interrupt();
    expect(await readUses()).toMatchObject([{ outcome: 'interrupted' }]);
    nowMs += 20 * 60_000;
    held.release();
    await response.text();
    await service.settled();
    expect(await readUses()).toMatchObject([{ outcome: 'ok', inputTokens: 3, outputTokens: 5 }]);
    expect(await begunCalls()).toEqual([]);
    const { rows } = await (await send('/api/usage')).json();
    expect(rows).toMatchObject([{ calls: 1, inputTokens: 3 }]);
  });

  test('of code has no provider, because nobody knows which keys it used', async () => {
    const started = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const running = runWithKeys(service.app, userId(sub), async (keys) => {
      await keys.get('openai');
      started.resolve();
      await ended.promise;
    });
    await started.promise;
    nowMs += MAX_CALL_SECONDS * 1000;
    expect(await readUses()).toMatchObject([{ route: 'code', provider: null, outcome: 'interrupted' }]);
    ended.resolve();
    await running;
    await service.settled();
    expect(await readUses()).toMatchObject([{ route: 'code', provider: 'openai', outcome: 'ok' }]);
  });

  test('has run for longer than a function of the deployment may', async () => {
    const { functions } = JSON.parse(await readFile('vercel.json', 'utf8'));
    for (const { maxDuration } of Object.values<{ maxDuration: number }>(functions)) {
      expect(maxDuration).toBeLessThan(MAX_CALL_SECONDS);
    }
  });
});

describe('MAX_CONCURRENT_CALLS', () => {
  const LIMIT = 3;
  const few = () =>
    composeInWorld(world, { env: { MAX_CONCURRENT_CALLS: String(LIMIT) }, clock: () => new Date(nowMs) });

  test('exactly that many of concurrent calls reach the provider; the others are 429 and still counted', async () => {
    const crowded = few();
    const held = holdAnswers(usual);
    const calling = Array.from({ length: 12 }, () => chat(crowded));
    await expect.poll(() => world.calls.length).toBe(LIMIT);
    await expect.poll(async () => (await begunCalls()).length).toBe(LIMIT);
    const refused = await chat(crowded);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({
      code: 'too_many_calls',
      detail: expect.stringContaining('3'),
    });
    held.release();
    const statuses = (await Promise.all(calling)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(LIMIT);
    expect(statuses.filter((status) => status === 429)).toHaveLength(12 - LIMIT);
    expect(world.calls).toHaveLength(LIMIT);
    await Promise.all((await Promise.all(calling)).map((response) => response.text()));
    await crowded.settled();
    const windowKey = kvKey(`calls:${Math.floor(nowMs / 60_000)}`, sub);
    // The save and 13 calls.
    expect(Number(await store.get(windowKey))).toBe(14);
    expect((await chat(crowded)).status).toBe(200);
  });

  test.each<[string, string]>([
    ['a stream of events', 'text/event-stream'],
    ['a sound file', 'audio/mpeg'],
  ])('%s counts until its last byte', async (_what, type) => {
    const crowded = few();
    const gate = Promise.withResolvers<void>();
    world.providers.answerWith(async (recorded, response) => {
      await recorded.received;
      response.writeHead(200, { 'content-type': type });
      response.write('data: 1\n\n');
      await gate.promise;
      response.end('data: 2\n\n');
    });
    const open = await Promise.all(Array.from({ length: LIMIT }, () => chat(crowded)));
    expect(open.map(({ status }) => status)).toEqual([200, 200, 200]);
    await new Promise((resolve) => setImmediate(resolve));
    expect((await chat(crowded)).status).toBe(429);
    gate.resolve();
    await Promise.all(open.map((response) => response.text()));
    await crowded.settled();
    expect((await chat(crowded)).status).toBe(200);
  });

  test('a stream counts until its caller leaves', async () => {
    const crowded = few();
    holdStream();
    const open = await Promise.all(Array.from({ length: LIMIT }, () => chat(crowded)));
    expect((await chat(crowded)).status).toBe(429);
    await open[0]?.body?.cancel();
    await expect.poll(async () => (await begunCalls()).length).toBe(LIMIT - 1);
    expect((await chat(crowded)).status).toBe(200);
    await Promise.all(open.slice(1).map((response) => response.body?.cancel()));
  });

  test('calls whose function was killed stop counting', async () => {
    const crowded = few();
    holdStream();
    const open = await Promise.all(Array.from({ length: LIMIT }, () => chat(crowded)));
    expect((await chat(crowded)).status).toBe(429);
    nowMs += MAX_CALL_SECONDS * 1000;
    world.providers.answerWith(usual);
    expect((await chat(crowded)).status).toBe(200);
    await Promise.all(open.map((response) => response.body?.cancel()));
    await crowded.settled();
    expect(await begunCalls()).toEqual([]);
  });

  test('users do not share the limit', async () => {
    const crowded = few();
    holdStream();
    const open = await Promise.all(Array.from({ length: LIMIT }, () => chat(crowded)));
    const other = await world.tokenFor(`${sub}-other`);
    const response = await chat(crowded, { token: other });
    expect(await response.json()).toMatchObject({ code: 'key_missing' });
    await Promise.all(open.map((stream) => stream.body?.cancel()));
  });
});

describe('an erasure', () => {
  const erase = async () => {
    nowMs += 1;
    expect((await send('/api/account', { method: 'DELETE' })).status).toBe(204);
    nowMs += 1;
  };

  test('refuses a call that began before it and is admitted after it; nothing is stored', async () => {
    let hold = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const slow = composeInWorld(world, {
      clock: () => new Date(nowMs),
      sendToKv: (sendOn: Send) => async (request) => {
        if (String(request.body).includes('wantedCount')) {
          arrived.resolve();
          await hold.promise;
        }
        return sendOn(request);
      },
    });
    const calling = chat(slow);
    await arrived.promise;
    await erase();
    hold.resolve();
    const response = await calling;
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: 'account_erased' });
    await slow.settled();
    expect(world.calls).toEqual([]);
    expect(await findTraces(world.kv, sub)).toEqual([]);
    hold = Promise.withResolvers();
  });

  test('keeps a stream that outlives its mark from writing anything', async () => {
    const held = holdStream();
    const response = await chat();
    expect(response.status).toBe(200);
    await erase();
    // The mark has expired.
    await store.del(kvKey('erased', sub));
    nowMs += 20 * 60_000;
    held.release();
    await response.text();
    await service.settled();
    expect(await findTraces(world.kv, sub)).toEqual([]);
  });

  test('keeps a stream that was shown as interrupted from writing anything', async () => {
    const held = holdStream();
    const response = await chat();
    // The counters of this minute would have expired by then.
    for (const kind of ['calls', 'checks']) {
      await store.del(kvKey(`${kind}:${Math.floor(nowMs / 60_000)}`, sub));
    }
    nowMs += MAX_CALL_SECONDS * 1000;
    expect(await readUses()).toMatchObject([{ outcome: 'interrupted' }]);
    await erase();
    await store.del(kvKey('erased', sub));
    held.release();
    await response.text();
    await service.settled();
    expect(await findTraces(world.kv, sub)).toEqual([]);
  });
});
