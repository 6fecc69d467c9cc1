/** An acknowledged delete is never undone, whatever was under way when it happened. */
import { createClient } from '@vercel/kv';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { changeGuards } from '../../lib/guards/stored-guards.ts';
import { readDeletions } from '../../lib/vault/deletions.ts';
import { dumpStore, findTraces } from '../account/store-dump.ts';
import { connect } from '../rotation/fill-store.ts';
import { json, usual } from '../support/answers.ts';
import { type CallInit, call, type HandlerModule } from '../support/call.ts';
import { holdAnswer } from '../support/hold-answer.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey, userId } from '../support/user-ids.ts';

let world: World;
let functions: HandlerModule;
let proxy: HandlerModule;
let sub: string;
let token: string;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
  functions = await import('../../api/userkeys.ts');
  proxy = await import('../../api/proxy.ts');
});
afterAll(() => world.close());
beforeEach(async () => {
  count += 1;
  sub = `deleter-${count}`;
  token = await world.tokenFor(sub);
});
afterEach(() => {
  vi.useRealTimers();
  world.providers.reset();
});

const send = (method: string, path: string, init: CallInit = {}) =>
  call(functions, path, { method, token, ...init });
const save = (value = newProviderKey(), provider = 'openai') =>
  send('PUT', `/api/keys/${provider}`, { json: { key: value } });
const guard = (guards: unknown) => send('PATCH', '/api/keys/openai', { json: { guards } });
const read = async () => (await send('GET', '/api/keys/openai')).json();
const list = async () => (await (await send('GET', '/api/keys')).json()).keys;
async function remove(path = '/api/keys/openai'): Promise<void> {
  expect((await send('DELETE', path)).status).toBe(204);
}
/** The records and guards in the store that are about the user. */
const stored = async () =>
  (await dumpStore(world.kv)).filter(
    (line) => line.includes(sub) && /:(keys|guards|used|spent)[: ]/.test(line),
  );

/** Starts a save that waits for its provider. `end` lets the provider answer. */
async function beginSave(value?: string) {
  const provider = holdAnswer(world.providers, usual);
  const saving = save(value);
  await provider.asked;
  return async () => {
    provider.release();
    return saving;
  };
}

async function expectDeleted(response: Response): Promise<void> {
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({ code: 'key_deleted' });
}

describe('a save that was waiting for its provider when the key was deleted', () => {
  test.each([
    ['a first key', false, '/api/keys/openai'],
    ['a replacement key', true, '/api/keys/openai'],
    ['a first key, with all keys', false, '/api/keys'],
    ['a replacement key, with all keys', true, '/api/keys'],
  ])('is refused and stores nothing: %s', async (_what, replaces, path) => {
    if (replaces) await save();
    const endSave = await beginSave();
    await remove(path);
    await expectDeleted(await endSave());
    expect(await stored()).toEqual([]);
    expect(await list()).toEqual([]);
  });

  test('does not replace a key that was saved after the delete', async () => {
    await save();
    const endSave = await beginSave();
    await remove();
    const own = newProviderKey();
    expect((await save(own)).status).toBe(201);
    await expectDeleted(await endSave());
    expect(await list()).toMatchObject([{ hint: own.slice(-4), version: 1 }]);
  });

  test('is refused even if an earlier delete happened in the same millisecond', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    await save();
    await remove();
    const endSave = await beginSave();
    await remove();
    await expectDeleted(await endSave());
    expect(await stored()).toEqual([]);
  });

  test('is refused even if the clock of the store was set back', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    await remove();
    const endSave = await beginSave();
    vi.setSystemTime(Date.now() - 1000);
    await remove();
    await expectDeleted(await endSave());
  });

  test('can be made again', async () => {
    const endSave = await beginSave();
    await remove();
    await endSave();
    expect((await save()).status).toBe(201);
    expect(await list()).toMatchObject([{ provider: 'openai', version: 1 }]);
  });

  test('is stored if the key of another provider was deleted', async () => {
    await save(newProviderKey(), 'exa');
    const endSave = await beginSave();
    await remove('/api/keys/exa');
    expect((await endSave()).status).toBe(201);
    expect(await list()).toMatchObject([{ provider: 'openai' }]);
  });
});

describe('the guards of a key', () => {
  test('go with it: a key saved afterwards has none', async () => {
    await save();
    await guard({ paused: true, callsPerDay: 3 });
    await remove();
    expect(await (await save()).json()).not.toHaveProperty('guards');
    expect(await read()).not.toHaveProperty('guards');
    await guard({ paused: true });
    await remove('/api/keys');
    expect(await (await save()).json()).not.toHaveProperty('guards');
  });

  test('are deleted with the record in one step, so that no call sees one without the other', async () => {
    await save();
    const first = world.kv.requests.length;
    await remove();
    await remove('/api/keys');
    const writes = world.kv.requests
      .slice(first)
      .filter((commands) => !/XADD|EXISTS/i.test(commands.flat().join()));
    expect(writes.map((commands) => commands.map(([name]) => name?.toUpperCase()))).toEqual([
      ['EVAL'],
      ['EVAL'],
    ]);
  });

  test('that were meant for a deleted key do not apply to the next one', async () => {
    const kv = connect(world.kv);
    const user = userId(sub);
    await save();
    const deletions = await kv.run(readDeletions(user, 'openai'));
    const pause = () =>
      kv.run(changeGuards(user, 'openai', { paused: true }, { isInFile: false, deletions }));
    await remove();
    expect(await pause()).toBe('deleted');
    await save();
    expect(await pause()).toBe('deleted');
    expect(await read()).not.toHaveProperty('guards');
  });

  test('are in the answer of a save as they are when it is stored', async () => {
    await save();
    const endSave = await beginSave();
    await guard({ paused: true });
    expect(await (await endSave()).json()).toMatchObject({ version: 2, guards: { paused: true } });
  });
});

test('a check that was waiting for its provider does not bring a deleted key back', async () => {
  await save();
  const provider = holdAnswer(world.providers, json({}, 401));
  const checking = send('POST', '/api/keys/openai');
  await provider.asked;
  await remove();
  provider.release();
  await checking;
  expect(await stored()).toEqual([]);
});

test('a check does not change the status of a key that was saved after a delete', async () => {
  await save();
  const provider = holdAnswer(world.providers, json({}, 401));
  const checking = send('POST', '/api/keys/openai');
  await provider.asked;
  await remove();
  await save();
  provider.release();
  await checking;
  expect(await read()).toMatchObject({ status: 'valid', version: 1 });
});

test('a call with the deleted key leaves no last use at the next key', async () => {
  await save();
  const provider = holdAnswer(world.providers, usual);
  const calling = call(proxy, '/api/proxy/openai/v1/models', { token });
  await provider.asked;
  await remove();
  await save();
  provider.release();
  expect((await calling).status).toBe(200);
  const store = createClient({ url: world.kv.url, token: world.kv.token });
  // The call is in the log, in the same write that would record its use.
  await expect
    .poll(async () => JSON.stringify(await (await send('GET', '/api/audit')).json()))
    .toContain('"gateway"');
  expect(await store.hgetall(kvKey('used', sub))).toBeNull();
  expect(await read()).toMatchObject({ lastUsedAt: null });
});

test('the export says what was deleted and when, and an erasure removes that too', async () => {
  await save();
  await remove();
  await remove('/api/keys');
  const { deletedKeys } = await (await send('GET', '/api/account')).json();
  expect(deletedKeys).toEqual([
    { provider: 'openai', deletedAt: expect.stringMatching(/^\d{4}-.*Z$/) },
    { provider: null, deletedAt: expect.stringMatching(/^\d{4}-.*Z$/) },
  ]);
  await remove('/api/account');
  expect(await findTraces(world.kv, sub)).toEqual([]);
});

describe('a save over a record', () => {
  const damage = (text: string) =>
    createClient({ url: world.kv.url, token: world.kv.token }).hset(kvKey('keys', sub), { openai: text });

  test.each([
    ['damaged', '{'],
    ['that is no object', '7'],
    ['whose version is no number', '{"version":"9","createdAt":"yesterday"}'],
    ['whose version is too large', `{"version":${'9'.repeat(30)},"createdAt":"2026-01-01"}`],
  ])('%s starts again with version 1', async (_what, text) => {
    await damage(text);
    const own = newProviderKey();
    const response = await save(own);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ version: 1, hint: own.slice(-4) });
    expect(await read()).toMatchObject({ status: 'valid', version: 1 });
  });
});
