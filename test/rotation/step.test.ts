import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type RunningKv, startKv } from '../../dev/kv/start-kv.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { query } from '../../lib/kv/query.ts';
import { providerIds } from '../../lib/providers/catalogue.ts';
import { countRecords, type Rotation, rotationStep, type StepLimits } from '../../lib/rotation/rotation.ts';
import { readRotationState } from '../../lib/rotation/rotation-state.ts';
import { openKey } from '../../lib/vault/envelope.ts';
import type { KeyRing } from '../../lib/vault/key-ring.ts';
import { readRecords, replaceRecord } from '../../lib/vault/records.ts';
import { newMasterKey, newProviderKey } from '../support/start-world.ts';
import { kvKey, userId } from '../support/user-ids.ts';
import { connect, fillStore, ringOf, sealedRecord } from './fill-store.ts';

const PROVIDERS = ['openai', 'exa'] as const;
const ALL: StepLimits = { maxMs: 60_000, maxUsers: 1_000_000 };
const ONE_PAGE: StepLimits = { maxMs: 60_000, maxUsers: 1 };

let store: RunningKv;
let kv: Kv;
const requests: (readonly (readonly string[])[])[] = [];
const [oldKey, newKey] = [newMasterKey('old'), newMasterKey('new')];

beforeEach(async () => {
  await store?.close();
  requests.length = 0;
  store = await startKv({ onRequest: (commands) => requests.push(commands) });
  kv = connect(store);
});
afterAll(() => store.close());

const users = (count: number) => Array.from({ length: count }, (_, index) => `user ${index}:*`);
const keyOf = (user: string, provider: string) => `key-of-${user}-at-${provider}`;
const rotation = async (...masterKeys: readonly string[]): Promise<Rotation> => ({
  kv,
  ring: await ringOf(...masterKeys),
  clock: () => new Date(),
});
const fill = async (count: number, masterKey = oldKey) =>
  fillStore(kv, await ringOf(masterKey), users(count), PROVIDERS, keyOf);

async function expectAllOpen(ring: KeyRing, count: number): Promise<void> {
  for (const sub of users(count)) {
    const user = userId(sub);
    const bundle = await kv.run(readRecords(user, PROVIDERS));
    for (const provider of PROVIDERS) {
      const jwe = bundle.get(provider)?.record?.jwe ?? '';
      expect((await openKey(ring, { user, provider }, jwe)).reveal()).toBe(keyOf(sub, provider));
    }
  }
}

describe('a rotation step', () => {
  test('reseals every old record and changes only its envelope', async () => {
    await fill(30);
    const before = await kv.run(readRecords(userId('user 7:*'), PROVIDERS));
    const { outcome, state } = await rotationStep(await rotation(newKey, oldKey), ALL);
    expect(outcome).toBe('finished');
    expect(state.last?.tally).toMatchObject({ users: 30, resealed: 60, unreadable: 0 });
    expect(state.last?.tally.left).toEqual(new Map([['new', 60]]));
    await expectAllOpen(await ringOf(newKey), 30);
    const after = await kv.run(readRecords(userId('user 7:*'), PROVIDERS));
    for (const provider of PROVIDERS) {
      expect(after.get(provider)?.record).toEqual({
        ...before.get(provider)?.record,
        jwe: after.get(provider)?.record?.jwe,
      });
    }
  });

  test('is idle after a pass that found no old record, and starts again with a new current key', async () => {
    await fill(3);
    const both = await rotation(newKey, oldKey);
    expect((await rotationStep(both, ALL)).outcome).toBe('finished');
    expect((await rotationStep(both, ALL)).state.last?.tally).toMatchObject({ resealed: 0 });
    requests.length = 0;
    expect((await rotationStep(both, ALL)).outcome).toBe('idle');
    expect(requests).toHaveLength(1);
    expect((await rotationStep(await rotation(oldKey, newKey), ALL)).state.last?.tally).toMatchObject({
      resealed: 6,
    });
  });

  test('resumes where the last one stopped, and needs no more memory, time or requests for more users', async () => {
    await fill(1_500);
    const both = await rotation(newKey, oldKey);
    const sizes: number[] = [];
    let outcome = 'more';
    while (outcome === 'more') {
      requests.length = 0;
      ({ outcome } = await rotationStep(both, ONE_PAGE));
      sizes.push(requests.length);
    }
    expect(sizes.length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(70);
    await expectAllOpen(await ringOf(newKey), 20);
    expect((await countRecords(both)).left).toEqual(new Map([['new', 3_000]]));
  });

  test('handles users with every provider and the longest keys, within the request size of every plan', async () => {
    for (const user of users(25)) {
      await fillStore(kv, await ringOf(oldKey), [user], providerIds, () => 'k'.repeat(4_096));
    }
    requests.length = 0;
    const { state } = await rotationStep(await rotation(newKey, oldKey), ALL);
    expect(state.last?.tally).toMatchObject({ users: 25, resealed: 25 * providerIds.length });
    const sizes = requests.map((commands) => JSON.stringify(commands).length);
    expect(Math.max(...sizes)).toBeLessThan(1_000_000);
  });

  test('skips and counts a record that does not open, and still rotates the others', async () => {
    await fill(2);
    const [goneKey, stranger] = [newMasterKey('gone'), newMasterKey('old')];
    const write = async (sub: string, masterKey: string) => {
      const user = userId(sub);
      const record = await sealedRecord(await ringOf(masterKey), user, 'groq', newProviderKey());
      await kv.run(replaceRecord(user, 'groq', undefined, record));
    };
    await write('user 0:*', goneKey);
    await write('user 1:*', stranger);
    await kv.run(
      query(
        (pipeline) =>
          pipeline
            .hset(kvKey('keys', 'user 0:*'), { xai: '{"v":1', made_up: '{}' })
            .hset(kvKey('keys', 'broken'), { openai: '' }),
        z.unknown(),
      ),
    );
    const { state } = await rotationStep(await rotation(newKey, oldKey), ALL);
    expect(state.last?.tally).toMatchObject({ users: 3, resealed: 4, unreadable: 4 });
    expect(state.last?.tally.left).toEqual(
      new Map([
        ['new', 4],
        ['gone', 1],
      ]),
    );
    await expectAllOpen(await ringOf(newKey), 2);
  });

  test('continues after a damaged state, and skips a KV key that is not a hash', async () => {
    await fill(2);
    await kv.run(
      query(
        (pipeline) =>
          pipeline.set('userkeys:rotation', '{"v":1,"running":7}').set(kvKey('keys', 'not a hash'), 'x'),
        z.unknown(),
      ),
    );
    const { outcome, state } = await rotationStep(await rotation(newKey, oldKey), ALL);
    expect(outcome).toBe('finished');
    expect(state.last?.tally.resealed).toBe(4);
  });

  test('keeps a record of an unknown provider, and reports that it still needs its master key', async () => {
    await fill(1);
    const [text] = await kv.run(
      query((pipeline) => pipeline.hget(kvKey('keys', 'user 0:*'), 'openai'), z.tuple([z.string()])),
    );
    await kv.run(query((pipeline) => pipeline.hset(kvKey('keys', 'user 0:*'), { later: text }), z.unknown()));
    const { state } = await rotationStep(await rotation(newKey, oldKey), ALL);
    expect(state.last?.tally.left.get('old')).toBe(1);
  });
});

describe('two concurrent rotations', () => {
  test('reseal everything and count every record once, even if one is always a page behind', async () => {
    await fill(1_500);
    const both = await rotation(newKey, oldKey);
    const runs = await Promise.all([1, 2].map(() => rotationStep(both, ALL)));
    for (const run of runs) expect(run.outcome).toBe('finished');
    expect((await countRecords(both)).left).toEqual(new Map([['new', 3_000]]));
    const totals = runs.map(({ state }) => state.last?.tally.users);
    expect(totals).toContain(1_500);
    await expectAllOpen(await ringOf(newKey), 10);
  });

  test('never undo progress: the slower one continues from the faster one’s position', async () => {
    await fill(1_500);
    const ahead = await rotation(newKey, oldKey);
    let requests = 0;
    const overtaken: Kv = {
      run: async (query) => {
        requests += 1;
        if (requests === 2) {
          await rotationStep(ahead, ONE_PAGE);
          await rotationStep(ahead, ONE_PAGE);
        }
        return kv.run(query);
      },
    };
    const { state } = await rotationStep({ ...ahead, kv: overtaken }, ONE_PAGE);
    expect(state).toEqual(await kv.run(readRotationState()));
    expect(state.running?.tally.users).toBeGreaterThan(600);
  });

  test('with different current keys lose nothing: all records open, whichever ends last', async () => {
    await fill(300);
    const [forth, back] = await Promise.all([rotation(newKey, oldKey), rotation(oldKey, newKey)]);
    await Promise.all([rotationStep(forth, ONE_PAGE), rotationStep(back, ONE_PAGE)]);
    await expectAllOpen(await ringOf(oldKey, newKey), 300);
    await rotationStep(forth, ALL, { evenIfIdle: true });
    await expectAllOpen(await ringOf(newKey), 300);
  });
});
