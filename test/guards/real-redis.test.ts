import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { usual } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { holdAnswer } from '../support/hold-answer.ts';
import { redisServerInstalled } from '../support/redis-server.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

/** Runs the scripts on a real Redis server. All other tests run them on the embedded store. */
describe.skipIf(!redisServerInstalled())('on redis-server', () => {
  let world: World;
  let modules: Record<'key' | 'proxy' | 'audit' | 'usage', HandlerModule>;
  let token: string;

  beforeAll(async () => {
    world = await startWorld({ kvEngine: 'redis-server' });
    modules = {
      key: await import('../../api/userkeys.ts'),
      proxy: await import('../../api/proxy.ts'),
      audit: await import('../../api/userkeys.ts'),
      usage: await import('../../api/userkeys.ts'),
    };
    token = await world.tokenFor('on-redis');
  });
  afterAll(() => world.close());

  test('a daily limit allows exactly that many calls, and all of them are recorded', async () => {
    await call(modules.key, '/api/keys/openai', { method: 'PUT', token, json: { key: newProviderKey() } });
    const guards = { callsPerDay: 30, models: ['gpt-a'], expiresAt: '2099-01-01T00:00:00Z' };
    await call(modules.key, '/api/keys/openai', { method: 'PATCH', token, json: { guards } });
    world.providers.reset();
    const chat = () =>
      call(modules.proxy, '/api/proxy/openai/v1/chat/completions', {
        method: 'POST',
        token,
        json: { model: 'gpt-a' },
      });
    const responses = await Promise.all(Array.from({ length: 200 }, chat));
    await Promise.all(responses.map((response) => response.text()));
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(30);
    expect(world.calls).toHaveLength(30);
    await vi.waitFor(async () => {
      const { rows } = await (await call(modules.usage, '/api/usage', { token })).json();
      expect(rows).toMatchObject([{ model: 'gpt-a', calls: 30, inputTokens: 90, outputTokens: 150 }]);
      const { entries } = await (await call(modules.audit, '/api/audit?limit=1000', { token })).json();
      expect(entries).toHaveLength(33);
      expect(entries).toContainEqual(
        expect.objectContaining({ outcome: 'daily_limit_reached', count: 170, since: expect.any(String) }),
      );
    });
  });

  test('a deleted key stays deleted, its guards are gone, and a new key starts at version 1', async () => {
    const mine = await world.tokenFor('deleter-on-redis');
    const send = (method: string, path: string, json?: unknown) =>
      call(modules.key, path, { method, token: mine, ...(json === undefined ? {} : { json }) });
    const save = () => send('PUT', '/api/keys/openai', { key: newProviderKey() });
    for (const path of ['/api/keys/openai', '/api/keys']) {
      expect(await (await save()).json()).toMatchObject({ version: 1 });
      expect(await (await save()).json()).toMatchObject({ version: 2 });
      await send('PATCH', '/api/keys/openai', { guards: { paused: true } });
      const provider = holdAnswer(world.providers, usual);
      const saving = save();
      await provider.asked;
      expect((await send('DELETE', path)).status).toBe(204);
      expect((await send('DELETE', path)).status).toBe(204);
      provider.release();
      expect(await (await saving).json()).toMatchObject({ code: 'key_deleted' });
      const saved = await (await save()).json();
      expect(saved).toMatchObject({ version: 1 });
      expect(saved).not.toHaveProperty('guards');
      await send('DELETE', path);
    }
    const { deletedKeys } = await (await send('GET', '/api/account')).json();
    expect(deletedKeys).toHaveLength(2);
  });

  test('an onboarding is started, changed and deleted', async () => {
    const mine = await world.tokenFor('starter-on-redis');
    const send = (method: string, json?: unknown) =>
      call(modules.key, '/api/onboarding', { method, token: mine, ...(json === undefined ? {} : { json }) });
    await call(modules.key, '/api/keys/openai', {
      method: 'PUT',
      token: mine,
      json: { key: newProviderKey() },
    });
    const { startedAt } = await (await send('GET')).json();
    const done = { step: 'api-keys', status: 'completed' };
    expect(await (await send('PATCH', done)).json()).toMatchObject({ startedAt, currentStep: 'try-it' });
    expect(await (await send('GET')).json()).toMatchObject({ startedAt, currentStep: 'try-it' });
    expect((await send('DELETE')).status).toBe(204);
    expect(await (await send('GET')).json()).toMatchObject({ currentStep: 'api-keys' });
  });
});
