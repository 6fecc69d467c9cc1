/** Moves keys of several users at once: read, seal, write what is missing or older, read back and compare. */
import { subjectOf, type UserId } from '../../lib/identity/user-id.ts';
import { openStoredKeys, type StoredKey } from '../../lib/keys/stored-keys.ts';
import { callStart } from '../../lib/kv/erasure.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { combineQueries } from '../../lib/kv/query.ts';
import { NEVER_DELETED, readDeletions, wasEverDeleted } from '../../lib/vault/deletions.ts';
import { sealKey } from '../../lib/vault/envelope.ts';
import { hintOf, type KeyRecord } from '../../lib/vault/key-record.ts';
import type { KeyRing } from '../../lib/vault/key-ring.ts';
import { importRecord, type ReplaceOutcome, readRecords } from '../../lib/vault/records.ts';
import type { Outcome } from './migrate.ts';
import type { Plan, PlannedKey } from './plan-user.ts';
import { runWithRetries } from './run-with-retries.ts';

export type Destination = {
  readonly kv: Kv;
  readonly ring: KeyRing;
  /** When the migration started: a user who is erased after that stays erased. */
  readonly startedAt: Date;
};

type Entry = { readonly user: UserId; readonly planned: PlannedKey };

/**
 * Writes by compare-and-set, and only when no key or an older key is stored: a key that the user saves at the same
 * time is kept. A key that the user has ever deleted here stays deleted. Writes nothing unless `apply`.
 */
export async function moveKeys(
  destination: Destination,
  plans: readonly Plan[],
  apply: boolean,
): Promise<readonly Outcome[]> {
  const { kv, ring, startedAt } = destination;
  const outcomes: Outcome[] = [];
  const writes: (Entry & { readonly text: string })[] = [];
  const entries = plans.flatMap(({ user, keys }) => keys.map((planned) => ({ user, planned })));
  const before = await readStoredKeys(destination, entries);

  const queries = await Promise.all(
    entries.map(async (entry, index) => {
      const existing = before[index]?.key;
      const result = compareStored(entry.planned, before[index]);
      if (result !== 'write' || !apply) {
        outcomes.push(result === 'write' ? outcomeOf(entry, { result: 'moved' }) : outcomeOf(entry, result));
        return [];
      }
      const next = await recordOf(ring, entry, existing);
      writes.push({ ...entry, text: JSON.stringify(next) });
      const start = callStart(entry.user, startedAt);
      return [importRecord(entry.user, entry.planned.provider, existing?.stored?.text, next, start)];
    }),
  );
  const replaced = await runWithRetries(kv, queries.flat());
  const after = await readStoredKeys(destination, writes);
  return [
    ...outcomes,
    ...writes.map((write, index) =>
      outcomeOf(write, checkWritten(write, after[index]?.key, replaced[index])),
    ),
  ];
}

type MoveResult = Pick<Outcome, 'result' | 'reason'>;

const DELETED = { result: 'skipped', reason: 'deleted by its owner since' } as const;

function compareStored(planned: PlannedKey, stored: Stored | undefined): MoveResult | 'write' {
  const existing = stored?.key;
  if (existing === undefined) return stored?.isDeleted ? DELETED : 'write';
  if (existing.key === undefined || existing.stored === undefined) {
    return { result: 'failed', reason: 'a key is stored that does not open; delete it and run this again' };
  }
  if (existing.key.reveal() === planned.key.reveal()) return { result: 'already there' };
  if (Date.parse(existing.stored.record.updatedAt) >= planned.updatedAt.getTime()) {
    return { result: 'skipped', reason: 'the user has stored a newer key' };
  }
  return stored?.isDeleted ? DELETED : 'write';
}

function checkWritten(
  write: Entry & { readonly text: string },
  existing: StoredKey | undefined,
  outcome: ReplaceOutcome | undefined,
): MoveResult {
  if (outcome === 'erased') return { result: 'skipped', reason: 'the user has been erased meanwhile' };
  if (outcome === 'deleted') return DELETED;
  if (outcome === 'retired') {
    return { result: 'failed', reason: 'the first master key of VAULT_KEYS has been retired' };
  }
  // `changed` does not decide: when a first try succeeded but its answer was lost, the retry reports `changed`.
  if (existing?.stored !== undefined && existing.stored.text !== write.text) {
    return { result: 'skipped', reason: 'the user has stored a newer key' };
  }
  if (existing?.key?.reveal() === write.planned.key.reveal()) return { result: 'moved' };
  return { result: 'failed', reason: 'it does not read back as it was written' };
}

async function recordOf(
  ring: KeyRing,
  { user, planned }: Entry,
  existing: StoredKey | undefined,
): Promise<KeyRecord> {
  const { provider, key, createdAt, updatedAt } = planned;
  const previous = existing?.stored?.record;
  return {
    v: 1,
    jwe: await sealKey(ring, { user, provider }, key),
    hint: hintOf(key.reveal()),
    status: 'unverified',
    version: (previous?.version ?? 0) + 1,
    createdAt: previous?.createdAt ?? createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

type Stored = {
  /** Undefined if there is none. */
  readonly key: StoredKey | undefined;
  /** The owner has ever deleted a key of this provider here. */
  readonly isDeleted: boolean;
};

/** What is stored of each entry. */
async function readStoredKeys(
  { kv, ring }: Destination,
  entries: readonly Entry[],
): Promise<readonly Stored[]> {
  const found = await runWithRetries(
    kv,
    entries.map(({ user, planned: { provider } }) =>
      combineQueries(readRecords(user, [provider]), readDeletions(user, provider)),
    ),
  );
  return Promise.all(
    entries.map(async ({ user, planned: { provider } }, index) => {
      const [records, deletions] = found[index] ?? [new Map(), NEVER_DELETED];
      const [key] = await openStoredKeys({ ring, localKeys: undefined }, user, [provider], records);
      return { key, isDeleted: wasEverDeleted(deletions) };
    }),
  );
}

function outcomeOf({ user }: Entry, result: MoveResult): Outcome {
  return { what: 'key', user: subjectOf(user), ...result };
}
