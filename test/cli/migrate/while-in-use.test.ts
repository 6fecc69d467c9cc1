/** The migration beside users who go on working. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { moveKeys } from '../../../cli/migrate/move-keys.ts';
import { moveSessions } from '../../../cli/migrate/move-sessions.ts';
import type { Plan } from '../../../cli/migrate/plan-user.ts';
import { type RunningKv, startKv } from '../../../dev/kv/start-kv.ts';
import { loadConfig } from '../../../lib/config.ts';
import { deleteKey } from '../../../lib/keys/delete-keys.ts';
import { callStart, markErased } from '../../../lib/kv/erasure.ts';
import type { Kv } from '../../../lib/kv/kv.ts';
import { writeStep } from '../../../lib/onboarding/session.ts';
import { Secret } from '../../../lib/secret.ts';
import { loadKeyRing } from '../../../lib/vault/key-ring.ts';
import { runWrite } from '../../support/run-write.ts';
import { newMasterKey, newProviderKey, TEST_TENANT } from '../../support/start-world.ts';
import { userId } from '../../support/user-ids.ts';
import { openStored, type Stored } from './stored-users.ts';

let kv: RunningKv;
let env: Readonly<Record<string, string>>;
let stored: Stored;
const longAgo = new Date('2025-01-01T00:00:00Z');

beforeAll(async () => {
  kv = await startKv();
  env = {
    DEPLOY_ENV: 'production',
    KV_REST_API_URL: kv.url,
    KV_REST_API_TOKEN: kv.token,
    AUTH_ISSUER: 'https://issuer.example',
    AUTH_AUDIENCE: 'userkeys',
    AUTH_TENANT: TEST_TENANT,
    VAULT_KEYS: newMasterKey(),
  };
  stored = await openStored(env);
});
afterAll(() => kv.close());

/** The store, with something that happens right after the migration has looked for the first time. */
function afterFirstLook(happens: () => Promise<unknown>): Kv {
  let asked = 0;
  return {
    async run(query) {
      const answer = await stored.kv.run(query);
      asked += 1;
      if (asked === 1) await happens();
      return answer;
    },
  };
}

it('a key that its owner saves while it is being moved stays', async () => {
  const [old, own] = [newProviderKey(), newProviderKey()];
  const ring = await loadKeyRing({ vaultKeys: loadConfig(env).vaultKeys, wrappedKeys: undefined });
  const user = userId('anna');
  const key = { provider: 'openai', key: new Secret(old), createdAt: longAgo, updatedAt: longAgo } as const;
  const plan: Plan = { user, keys: [key], session: undefined };
  const saving = afterFirstLook(() => stored.save('anna', 'openai', own, new Date()));
  expect(await moveKeys({ kv: saving, ring, startedAt: new Date() }, [plan], true)).toEqual([
    { what: 'key', user: 'anna', result: 'skipped', reason: 'the user has stored a newer key' },
  ]);
  expect(await stored.keysOf('anna')).toEqual({ openai: own });
});

it.each([
  ['that was never stored', false],
  ['of which an older one is stored', true],
])('a key %s and that its owner deletes while it is being moved stays deleted', async (_what, isStored) => {
  const name = isStored ? 'fritz' : 'gerda';
  const user = userId(name);
  const ring = await loadKeyRing({ vaultKeys: loadConfig(env).vaultKeys, wrappedKeys: undefined });
  const older = new Date(longAgo.getTime() - 1000);
  if (isStored) await stored.save(name, 'openai', newProviderKey(), older);
  const key = new Secret(newProviderKey());
  const planned = { provider: 'openai', key, createdAt: longAgo, updatedAt: longAgo } as const;
  const deleting = afterFirstLook(() => stored.kv.run(runWrite(deleteKey(user, 'openai'))));
  const plan: Plan = { user, keys: [planned], session: undefined };
  expect(await moveKeys({ kv: deleting, ring, startedAt: new Date() }, [plan], true)).toEqual([
    { what: 'key', user: name, result: 'skipped', reason: 'deleted by its owner since' },
  ]);
  expect(await stored.keysOf(name)).toEqual({});
});

it('a session that its owner begins while it is being moved stays', async () => {
  const user = userId('ben');
  const plan: Plan = { user, keys: [], session: { startedAt: longAgo, doneAt: longAgo, done: ['api-keys'] } };
  const beginning = afterFirstLook(() => stored.sessionOf('ben'));
  expect(await moveSessions({ kv: beginning, startedAt: new Date() }, [plan], true)).toEqual([
    { what: 'session', user: 'ben', result: 'skipped', reason: 'the user has begun a newer one' },
  ]);
  expect(await stored.sessionOf('ben')).toMatchObject({ currentStep: 'api-keys' });
});

it.each([
  ['cleo', ['api-keys'], 'try-it'],
  ['dora', [], 'api-keys'],
])('a session that its owner has gone on with is not taken for the old one: %s', async (name, done, step) => {
  const user = userId(name);
  const plan: Plan = { user, keys: [], session: { startedAt: longAgo, doneAt: longAgo, done } };
  expect(await moveSessions({ kv: stored.kv, startedAt: new Date() }, [plan], true)).toMatchObject([
    { result: 'moved' },
  ]);
  expect(await moveSessions({ kv: stored.kv, startedAt: new Date() }, [plan], true)).toMatchObject([
    { result: 'already there' },
  ]);
  const revision = done.length > 0 ? 'migrated' : undefined;
  const session = { startedAt: longAgo.toISOString(), revision, done: new Map() };
  const next = { v: 1, status: 'completed', doneAt: new Date().toISOString() } as const;
  expect(await stored.kv.run(writeStep(user, session, step, next, callStart(user, new Date())))).toBe(
    'written',
  );
  expect(await moveSessions({ kv: stored.kv, startedAt: new Date() }, [plan], true)).toMatchObject([
    { result: 'skipped' },
  ]);
});

it('a user who is erased while they are being moved stays erased', async () => {
  const user = userId('emil');
  const ring = await loadKeyRing({ vaultKeys: loadConfig(env).vaultKeys, wrappedKeys: undefined });
  const times = { createdAt: longAgo, updatedAt: longAgo };
  const plan: Plan = {
    user,
    keys: [{ provider: 'openai', key: new Secret(newProviderKey()), ...times }],
    session: { startedAt: longAgo, doneAt: longAgo, done: ['api-keys'] },
  };
  const startedAt = new Date();
  const erasing = async () => stored.kv.run(markErased(callStart(user, new Date())));
  const erased = { user: 'emil', result: 'skipped', reason: 'the user has been erased meanwhile' };
  expect(await moveKeys({ kv: afterFirstLook(erasing), ring, startedAt }, [plan], true)).toEqual([
    { what: 'key', ...erased },
  ]);
  expect(await moveSessions({ kv: stored.kv, startedAt }, [plan], true)).toEqual([
    { what: 'session', ...erased },
  ]);
  expect(await stored.keysOf('emil')).toEqual({});
});
