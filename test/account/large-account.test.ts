/** What is stored about a user can be larger than one answer of the store. */
import { createClient } from '@vercel/kv';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { MAX_AUDIT_ENTRIES, MAX_KV_ANSWER_BYTES, MAX_USAGE_FIELDS } from '../../lib/limits.ts';
import { countUsage } from '../../lib/usage/usage-ledger.ts';
import { call } from '../support/call.ts';
import { composeInWorld } from '../support/compose-in-world.ts';
import { redisServerInstalled } from '../support/redis-server.ts';
import { startWorld, type World } from '../support/start-world.ts';
import { kvKey, userId } from '../support/user-ids.ts';

/** Filling the store takes a while on a busy machine. */
vi.setConfig({ testTimeout: 120_000 });

const MONTHS = 13;
const model = (index: number) => `model-${index}-`.padEnd(120, 'm');

describe.skipIf(!redisServerInstalled())('a user with much data, on redis-server', () => {
  let world: World;
  let service: ReturnType<typeof composeInWorld>;
  let store: ReturnType<typeof createClient>;

  beforeAll(async () => {
    world = await startWorld({ kvEngine: 'redis-server' });
    service = composeInWorld(world);
    store = createClient({ url: world.kv.url, token: world.kv.token });
  });
  afterAll(() => world.close());

  const get = async (path: string, token: string) => call(service.functions, path, { token });

  test('gets a year of usage and its export, though 13 full months exceed one answer', async () => {
    const sub = 'thirteen-months';
    const token = await world.tokenFor(sub);
    const now = new Date();
    let bytes = 0;
    for (let back = 0; back < MONTHS; back += 1) {
      const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1))
        .toISOString()
        .slice(0, 7);
      const fields = Object.fromEntries(
        Array.from({ length: MAX_USAGE_FIELDS }, (_, index) => [`01 openai ${model(index)} calls`, 1]),
      );
      bytes += JSON.stringify(fields).length;
      await store.hset(kvKey(`usage:${month}`, sub), fields);
    }
    expect(bytes).toBeGreaterThan(MAX_KV_ANSWER_BYTES);
    const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - (MONTHS - 1), 1));
    const before = world.kv.requests.length;
    const usage = await get(`/api/usage?from=${from.toISOString().slice(0, 10)}`, token);
    expect(usage.status).toBe(200);
    const { rows } = await usage.json();
    expect(rows.length).toBeGreaterThanOrEqual((MONTHS - 1) * MAX_USAGE_FIELDS);
    expect(new Set(rows.map(({ day }: { day: string }) => day)).size).toBeGreaterThanOrEqual(MONTHS - 1);
    // The call is counted in the first of the requests.
    const [first, ...others] = world.kv.requests.slice(before);
    expect(JSON.stringify(first)).toContain('calls:');
    expect(others.length).toBeGreaterThanOrEqual(MONTHS - 2);
    const exported = await get('/api/account', token);
    expect(exported.status).toBe(200);
    expect((await exported.json()).usage).toHaveLength(MONTHS * MAX_USAGE_FIELDS);
  });

  test('gets a whole audit log that exceeds one answer', async () => {
    const sub = 'long-log';
    const token = await world.tokenFor(sub);
    const entry = {
      time: new Date().toISOString(),
      ...{
        action: 'use',
        route: 'gateway',
        provider: 'openai',
        outcome: 'ok',
        status: '200',
        durationMs: '1000',
      },
      ...{ model: model(1), inputTokens: '1000000', outputTokens: '1000000', count: '1', since: '' },
    };
    let bytes = 0;
    for (let from = 0; from < 2 * MAX_AUDIT_ENTRIES; from += 1_000) {
      const pipeline = store.pipeline();
      for (let index = from; index < from + 1_000; index += 1) {
        const fields = { ...entry, requestId: crypto.randomUUID() };
        bytes += JSON.stringify(Object.entries(fields)).length;
        pipeline.xadd(kvKey(index % 2 === 0 ? 'audit' : 'security', sub), '*', fields);
      }
      await pipeline.exec();
    }
    expect(bytes).toBeGreaterThan(MAX_KV_ANSWER_BYTES);
    const exported = await get('/api/account', token);
    expect(exported.status).toBe(200);
    expect((await exported.json()).audit).toHaveLength(2 * MAX_AUDIT_ENTRIES);
  });

  test('cannot make a full month larger: calls that bring new counters are counted without their model', async () => {
    const user = userId('full-month');
    const at = new Date();
    const key = kvKey(`usage:${at.toISOString().slice(0, 7)}`, 'full-month');
    const day = at.toISOString().slice(8, 10);
    await store.hset(
      key,
      Object.fromEntries(
        Array.from({ length: MAX_USAGE_FIELDS }, (_, index) => [`${day} openai ${model(index)} calls`, 1]),
      ),
    );
    const tokens = { input: 2, output: 3, cachedInput: 1, cacheRead: 1, cacheWrite: 1 };
    for (let index = 0; index < 200; index += 1) {
      const call = { provider: 'openai', model: model(index), tokens } as const;
      const { source, keys, args } = countUsage(user, [call], { at, keepDays: 30 });
      await store.eval(source, [...keys], [...args]);
    }
    expect(await store.hlen(key)).toBe(MAX_USAGE_FIELDS + 7);
    expect(await store.hmget(key, `${day} openai - calls`, `${day} openai - input`)).toEqual({
      [`${day} openai - calls`]: 200,
      [`${day} openai - input`]: 400,
    });
    const unmeasured = countUsage(user, [{ provider: 'openai', model: model(0), tokens: undefined }], {
      at,
      keepDays: 30,
    });
    await store.eval(unmeasured.source, [...unmeasured.keys], [...unmeasured.args]);
    expect(await store.hget(key, `${day} openai ${model(0)} calls`)).toBe(2);
  });
});
