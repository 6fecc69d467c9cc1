/** One page of the walk over all records: look at each, reseal those under a former master key, count. */
import { type AuditBounds, appendAudit } from '../audit/audit-log.ts';
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import { deferredWrites } from '../kv/deferred-writes.ts';
import { callStart } from '../kv/erasure.ts';
import { type Kv, storeUnavailable } from '../kv/kv.ts';
import { combineQueries } from '../kv/query.ts';
import {
  MAX_ROTATION_REQUEST_USERS,
  MAX_ROTATION_REQUESTS,
  MAX_ROTATION_TRIES,
  MAX_ROTATION_WRITE_CHARACTERS,
} from '../limits.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { openKey, sealKey } from '../vault/envelope.ts';
import type { KeyRecord } from '../vault/key-record.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import { replaceRecord } from '../vault/records.ts';
import { countStoredHashes, type FoundRecord, readRecordsOf, scanUsers } from './found-records.ts';
import { addTallies, EMPTY_TALLY, type Tally } from './rotation-state.ts';

export type Walk = {
  readonly kv: Kv;
  readonly ring: KeyRing;
  /** False: nothing is written, only counted. */
  readonly reseals: boolean;
  /** How resealed records are entered in their owners' audit logs; undefined: not at all. */
  readonly audit?: { readonly at: Date; readonly bounds: AuditBounds } | undefined;
};

/**
 * Walks the page at `cursor`. A record is written by compare-and-set against the text it was opened from, so that a
 * save, check or delete that came in between stays as it is.
 *
 * @throws Problem `store_unavailable`; `deployment_outdated` when this ring's own current key is retired. The page
 *   can be walked again at any time.
 */
export async function walkPage(
  walk: Walk,
  cursor: string,
): Promise<{ readonly cursor: string; readonly tally: Tally }> {
  const page = await walk.kv.run(scanUsers(cursor));
  let tally = EMPTY_TALLY;
  for (const groups of chunk(chunk(page.users, MAX_ROTATION_REQUEST_USERS), MAX_ROTATION_REQUESTS)) {
    const parts = await Promise.all(groups.map((users) => walkUsers(walk, users)));
    tally = parts.reduce(addTallies, tally);
  }
  return { cursor: page.cursor, tally };
}

async function walkUsers(walk: Walk, users: readonly UserId[]): Promise<Tally> {
  const records = await walk.kv.run(readRecordsOf(users));
  const withRecords = new Set(records.map(({ user }) => user));
  await assertDeleted(
    walk.kv,
    users.filter((user) => !withRecords.has(user)),
  );
  const tally = await walkRecords(walk, records, MAX_ROTATION_TRIES);
  return { ...tally, users: users.length };
}

/** The scan found these users and their hashes are empty, so they must have been deleted meanwhile. */
async function assertDeleted(kv: Kv, users: readonly UserId[]): Promise<void> {
  if (users.length === 0) return;
  if ((await kv.run(countStoredHashes(users))) > 0) throw storeUnavailable('store_answer_unexpected', 2);
}

async function walkRecords(walk: Walk, records: readonly FoundRecord[], tries: number): Promise<Tally> {
  const inspected = await Promise.all(
    records.map(async (found) => ({ found, state: await inspectRecord(walk, found) })),
  );
  const rewrites = inspected.flatMap(({ found, state }) =>
    state.kind === 'former' && state.resealed !== undefined
      ? [{ found, provider: state.provider, resealed: state.resealed }]
      : [],
  );
  const written = await writeResealed(walk, rewrites);
  const changed = rewrites.map(({ found }) => found).filter((found) => !written.has(found));
  const again = new Set(tries > 1 ? changed : []);
  const tally = inspected
    .filter(({ found }) => !again.has(found))
    .map(({ found, state }) => countRecord(state, written.has(found) ? walk.ring.currentKid : undefined))
    .reduce(addTallies, EMPTY_TALLY);
  if (again.size === 0) return tally;
  return addTallies(tally, await walkRecords(walk, await readAgain(walk.kv, again), tries - 1));
}

/**
 * The state of a record.
 * - `current`: sealed under the ring's current master key; not opened.
 * - `former`: opens with another key of the ring; `resealed` is the same record under the current one.
 * - `keyMissing`: names a key that is not on the ring.
 * - `unknownProvider`: sealed for a provider that this catalogue does not have, perhaps a newer deployment's.
 * - `unreadable`: damaged, or does not open with the key it names.
 */
type RecordState =
  | { readonly kind: 'current' | 'keyMissing' | 'unknownProvider'; readonly kid: string }
  | {
      readonly kind: 'former';
      readonly kid: string;
      readonly provider: ProviderId;
      /** Undefined when the walk only counts. */
      readonly resealed: KeyRecord | undefined;
    }
  | { readonly kind: 'unreadable' };

/** Reseals in memory, if the walk reseals. Only the envelope changes: the user changed nothing. */
async function inspectRecord({ ring, reseals }: Walk, found: FoundRecord): Promise<RecordState> {
  const { user, provider, record, kid } = found;
  if (record === undefined || kid === undefined) return { kind: 'unreadable' };
  if (kid === ring.currentKid) return { kind: 'current', kid };
  if (!ring.kids.has(kid)) return { kind: 'keyMissing', kid };
  if (provider === undefined) return { kind: 'unknownProvider', kid };
  const binding = { user, provider };
  const key = await openKey(ring, binding, record.jwe).catch(() => undefined);
  if (key === undefined) return { kind: 'unreadable' };
  const resealed = reseals ? { ...record, jwe: await sealKey(ring, binding, key) } : undefined;
  return { kind: 'former', kid, provider, resealed };
}

type Rewrite = { readonly found: FoundRecord; readonly provider: ProviderId; readonly resealed: KeyRecord };

/** The records that were written. The others have changed since they were read. */
async function writeResealed(
  { kv, audit }: Walk,
  rewrites: readonly Rewrite[],
): Promise<ReadonlySet<FoundRecord>> {
  const written = new Set<FoundRecord>();
  for (const part of splitBySize(rewrites)) {
    const outcomes = await kv.run(
      combineQueries(
        ...part.map(({ found, provider, resealed }) =>
          replaceRecord(found.user, provider, found.text, resealed),
        ),
      ),
    );
    if (outcomes.includes('retired')) throw new Problem('deployment_outdated');
    const replaced = part.filter((_, index) => outcomes[index] === 'replaced');
    for (const { found } of replaced) written.add(found);
    if (audit !== undefined) await enterInAudit(kv, replaced, audit);
  }
  return written;
}

/** In one KV request, after the records are written. An entry that is lost stops nothing. */
async function enterInAudit(
  kv: Kv,
  resealed: readonly Rewrite[],
  { at, bounds }: NonNullable<Walk['audit']>,
): Promise<void> {
  const entry = {
    time: at.toISOString(),
    action: 'rotate',
    outcome: 'ok',
    durationMs: 0,
    ...{ route: null, status: null, requestId: null, model: null, inputTokens: null, outputTokens: null },
    ...{ count: 1, since: null },
  } as const;
  const writes = resealed.map(({ found: { user }, provider }) =>
    deferredWrites(callStart(user, at), [appendAudit(user, [{ ...entry, provider }], bounds, at)]),
  );
  await kv.run(combineQueries(...writes)).catch(() => undefined);
}

/** The same records as they are now. A record that was deleted is absent. */
async function readAgain(kv: Kv, records: ReadonlySet<FoundRecord>): Promise<readonly FoundRecord[]> {
  const wanted = [...records];
  const current = await kv.run(readRecordsOf([...new Set(wanted.map(({ user }) => user))]));
  return current.filter((found) =>
    wanted.some(({ user, provider }) => user === found.user && provider === found.provider),
  );
}

function countRecord(state: RecordState, writtenUnder: string | undefined): Tally {
  if (state.kind === 'unreadable') return { ...EMPTY_TALLY, unreadable: 1 };
  return {
    ...EMPTY_TALLY,
    resealed: writtenUnder === undefined ? 0 : 1,
    found: new Map([[state.kid, 1]]),
    left: new Map([[writtenUnder ?? state.kid, 1]]),
  };
}

function splitBySize(rewrites: readonly Rewrite[]): readonly (readonly Rewrite[])[] {
  const parts: Rewrite[][] = [];
  let room = 0;
  for (const rewrite of rewrites) {
    const size = 2 * rewrite.found.text.length;
    if (size > room) {
      parts.push([]);
      room = MAX_ROTATION_WRITE_CHARACTERS;
    }
    parts.at(-1)?.push(rewrite);
    room -= size;
  }
  return parts;
}

function chunk<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}
