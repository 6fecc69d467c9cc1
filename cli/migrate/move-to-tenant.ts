/**
 * Moves users' data from the names of earlier versions to names with a tenant. A user's records are sealed again for
 * the tenant, written under the new name, and read back. Only then one script moves everything else and deletes the old
 * names, so a user is either moved or not. Until then the functions refuse the user.
 */
import { z } from 'zod';
import { Problem } from '../../lib/errors.ts';
import { toUserId, type UserId } from '../../lib/identity/user-id.ts';
import { globalKey, LEGACY_PREFIX, legacyOwnerKey, ownerKey } from '../../lib/kv/key-names.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { combineQueries, count, fieldsOfHash, type Query, query, scriptQuery } from '../../lib/kv/query.ts';
import { usageData } from '../../lib/usage/usage-ledger.ts';
import { kidOf, openKey, openLegacyKey, sealKey } from '../../lib/vault/envelope.ts';
import { parseStoredRecord } from '../../lib/vault/key-record.ts';
import type { KeyRing } from '../../lib/vault/key-ring.ts';
import { RETIRED_KEY } from '../../lib/vault/retired-kids.ts';
import { MERGE_ALL } from './merge-owner-data.ts';

/** Keeps a KV request and its answer small. */
const BATCH_USERS = 20;
/** How often a user is tried again whose data changed while it was being moved. */
const MAX_TRIES = 4;

export type TenantMigration = {
  readonly kv: Kv;
  readonly ring: KeyRing;
  readonly tenant: string;
  readonly clock: () => Date;
  /** False: nothing is written, and the tally says what would be. */
  readonly apply: boolean;
  /** True: records that do not open are moved as they are. False: their users are left as they are. */
  readonly movesUnreadable: boolean;
  readonly onProgress: (usersDone: number) => void;
};

export type TenantTally = {
  /** Users whose data has a new name now. */
  readonly users: number;
  /** Records that were sealed again for the tenant. */
  readonly resealed: number;
  /** Records that no master key opens: damaged, or copied from another place. */
  readonly unreadable: number;
  /** Records that were not moved, because the user has stored a newer one under the new name. */
  readonly superseded: number;
  /** Users who were left as they are, because of a record that does not open. */
  readonly waiting: number;
  /** The `kid` of each such master key, and how many records need it. */
  readonly missingKids: ReadonlyMap<string, number>;
  /** Users whose data kept changing. */
  readonly contended: number;
};

const EMPTY: TenantTally = {
  ...{ users: 0, resealed: 0, unreadable: 0, superseded: 0, waiting: 0, contended: 0 },
  missingKids: new Map(),
};

/**
 * Moves these users, some at a time. It can end at any point, and be run again.
 *
 * @throws Problem `store_unavailable`; `deployment_outdated` when the ring's current master key is retired.
 */
export async function moveToTenant(
  migration: TenantMigration,
  subs: readonly string[],
): Promise<TenantTally> {
  const { kv, apply, onProgress } = migration;
  if (apply) await copyRetired(kv);
  let tally = EMPTY;
  for (let from = 0; from < subs.length; from += BATCH_USERS) {
    const batch = subs.slice(from, from + BATCH_USERS);
    tally = addTallies(tally, await moveUsers(migration, batch, MAX_TRIES));
    onProgress(from + batch.length);
  }
  return tally;
}

/**
 * What a count of earlier names said is of no use. The set of retired master keys stays under its old name too, for
 * deployments of earlier versions, which must go on refusing those.
 */
async function copyRetired(kv: Kv): Promise<void> {
  const former = query(
    (pipeline) => pipeline.smembers(`${LEGACY_PREFIX}retired`).del(`${LEGACY_PREFIX}rotation`),
    z.tuple([z.array(z.string()), count]),
  );
  const [kids] = await kv.run(former);
  const [first, ...others] = kids;
  if (first === undefined) return;
  await kv.run(query((pipeline) => pipeline.sadd(globalKey('retired'), first, ...others), z.tuple([count])));
}

async function moveUsers(
  migration: TenantMigration,
  subs: readonly string[],
  tries: number,
): Promise<TenantTally> {
  const { kv, ring, tenant, apply, movesUnreadable, clock } = migration;
  const users = subs.map((sub) => ({ sub, user: toUserId(tenant, sub) }));
  const stored = await kv.run(combineQueries(...users.map(({ user }) => readBoth(user))));
  const plans = await Promise.all(
    users.map(({ sub, user }, index) => planUser(ring, sub, user, stored[index] ?? NOTHING)),
  );
  const isReady = ({ missing, writes }: UserPlan) =>
    missing.length === 0 && (movesUnreadable || writes.every(({ isReadable }) => isReadable));
  const ready = plans.filter(isReady);
  const left = plans.filter((plan) => !isReady(plan)).map(tallyOfWaiting);
  if (!apply) return [...left, ...ready.map(tallyOfMoved)].reduce(addTallies, EMPTY);

  const written = await writeRecords(kv, ring, ready);
  const moved = await kv.run(
    combineQueries(...written.map(({ user, before }) => moveRest(user, before.old, clock()))),
  );
  const again = ready.filter((plan) => !written.includes(plan) || moved[written.indexOf(plan)] === 0);
  const tallies = [...left, ...ready.filter((plan) => !again.includes(plan)).map(tallyOfMoved)];
  const tally = tallies.reduce(addTallies, EMPTY);
  if (again.length === 0) return tally;
  if (tries === 1) return addTallies(tally, { ...EMPTY, contended: again.length });
  return addTallies(
    tally,
    await moveUsers(
      migration,
      again.map(({ sub }) => sub),
      tries - 1,
    ),
  );
}

type Fields = ReadonlyMap<string, string>;
type Stored = { readonly old: Fields; readonly current: Fields };
const NOTHING: Stored = { old: new Map(), current: new Map() };

/** The user's records under the old and under the new name. */
function readBoth(user: UserId): Query<Stored> {
  return query(
    (pipeline) => pipeline.hgetall(legacyOwnerKey(user, 'keys')).hgetall(ownerKey(user, 'keys')),
    z.tuple([fieldsOfHash, fieldsOfHash]).transform(([old, current]) => ({ old, current })),
  );
}

type Write = {
  readonly field: string;
  /** What is stored under the new name; empty: nothing. */
  readonly expected: string;
  readonly next: string;
  readonly isReadable: boolean;
};

type UserPlan = {
  readonly sub: string;
  readonly user: UserId;
  readonly before: Stored;
  readonly writes: readonly Write[];
  readonly superseded: number;
  /** The `kid` of each record that needs a master key which is not on the ring. */
  readonly missing: readonly string[];
};

async function planUser(ring: KeyRing, sub: string, user: UserId, before: Stored): Promise<UserPlan> {
  const writes: Write[] = [];
  const missing: string[] = [];
  let superseded = 0;
  for (const [field, text] of before.old) {
    const { record } = parseStoredRecord(text);
    const expected = before.current.get(field) ?? '';
    if (expected !== '' && !isOlder(expected, text)) {
      // A move that was interrupted has written this one already, or the user has saved a newer one.
      if (parseStoredRecord(expected).record?.updatedAt !== record?.updatedAt) superseded += 1;
      continue;
    }
    const kid = record && kidOf(record.jwe);
    if (record !== undefined && kid !== undefined && !ring.kids.has(kid)) {
      missing.push(kid);
      continue;
    }
    const key =
      record && (await openLegacyKey(ring, { sub, provider: field }, record.jwe).catch(() => undefined));
    if (record === undefined || key === undefined) {
      writes.push({ field, expected, next: text, isReadable: false });
      continue;
    }
    const next = { ...record, jwe: await sealKey(ring, { user, provider: field }, key) };
    writes.push({ field, expected, next: JSON.stringify(next), isReadable: true });
  }
  return { sub, user, before, writes, superseded, missing };
}

/** Whether the record under the new name was saved before the one under the old name. A damaged one never counts as newer. */
function isOlder(current: string, old: string): boolean {
  const saved = parseStoredRecord(current).record?.updatedAt;
  const former = parseStoredRecord(old).record?.updatedAt;
  if (former === undefined) return false;
  return saved === undefined || Date.parse(saved) < Date.parse(former);
}

/**
 * Writes the records of each user by compare-and-set, and reads them back. Returns the plans that are in the store as
 * planned, and whose records open for the tenant.
 */
async function writeRecords(kv: Kv, ring: KeyRing, plans: readonly UserPlan[]): Promise<readonly UserPlan[]> {
  const outcomes = await kv.run(combineQueries(...plans.map((plan) => writeIfUnchanged(ring, plan))));
  if (outcomes.includes(RETIRED)) throw new Problem('deployment_outdated');
  const after = await kv.run(combineQueries(...plans.map(({ user }) => readBoth(user))));
  const checked = await Promise.all(
    plans.map(async ({ user, writes }, index) => {
      const current = after[index]?.current;
      const states = writes.map(async ({ field, next, isReadable }) => {
        if (current?.get(field) !== next) return false;
        const jwe = parseStoredRecord(next).record?.jwe;
        if (!isReadable || jwe === undefined) return true;
        return openKey(ring, { user, provider: field }, jwe).then(
          () => true,
          () => false,
        );
      });
      return (await Promise.all(states)).every(Boolean);
    }),
  );
  return plans.filter((_, index) => checked[index]);
}

const RETIRED = -1;

function writeIfUnchanged(ring: KeyRing, { user, writes }: UserPlan): Query<number> {
  return scriptQuery(
    {
      source: WRITE_IF_UNCHANGED,
      keys: [ownerKey(user, 'keys'), RETIRED_KEY],
      args: [
        writes.some(({ isReadable }) => isReadable) ? ring.currentKid : '',
        ...writes.flatMap(({ field, expected, next }) => [field, expected, next]),
      ],
    },
    count,
  );
}

const WRITE_IF_UNCHANGED = `
local records, retired = KEYS[1], KEYS[2]
local newKid = ARGV[1]
if redis.call('SISMEMBER', retired, newKid) == 1 then return ${RETIRED} end
for i = 2, #ARGV, 3 do
  local field, expected, replacement = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if (redis.call('HGET', records, field) or '') == expected then redis.call('HSET', records, field, replacement) end
end
return 1`;

const KINDS = ['used', 'guards', 'spent', 'onboarding', 'audit'] as const;

/** Moves everything but the records and deletes the old names, if the old records are still these. 0: they are not. */
function moveRest(user: UserId, old: Fields, now: Date): Query<number> {
  const start = ownerKey(user, '');
  const months = usageData.kvKeys(user, now).map((key) => key.slice(start.length));
  const kinds = [...KINDS, ...months];
  return scriptQuery(
    {
      source: MERGE_ALL,
      keys: [
        legacyOwnerKey(user, 'keys'),
        ...kinds.flatMap((kind) => [legacyOwnerKey(user, kind), ownerKey(user, kind)]),
      ],
      args: [String(old.size), ...[...old].flat(), ...kinds.map((kind) => kind.replace(/:.*/, ''))],
    },
    count,
  );
}

function tallyOfWaiting({ missing, writes }: UserPlan): TenantTally {
  const unreadable = writes.filter(({ isReadable }) => !isReadable).length;
  const missingKids = missing.reduce((kids, kid) => addCounts(kids, new Map([[kid, 1]])), EMPTY.missingKids);
  return { ...EMPTY, waiting: 1, unreadable, missingKids };
}

function tallyOfMoved({ writes, superseded }: UserPlan): TenantTally {
  const resealed = writes.filter(({ isReadable }) => isReadable).length;
  return { ...EMPTY, users: 1, resealed, unreadable: writes.length - resealed, superseded };
}

function addTallies(a: TenantTally, b: TenantTally): TenantTally {
  return {
    users: a.users + b.users,
    resealed: a.resealed + b.resealed,
    unreadable: a.unreadable + b.unreadable,
    superseded: a.superseded + b.superseded,
    waiting: a.waiting + b.waiting,
    contended: a.contended + b.contended,
    missingKids: addCounts(a.missingKids, b.missingKids),
  };
}

function addCounts(
  a: ReadonlyMap<string, number>,
  b: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const sum = new Map(a);
  for (const [kid, number] of b) sum.set(kid, (sum.get(kid) ?? 0) + number);
  return sum;
}
