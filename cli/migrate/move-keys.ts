/** Moves keys of several users at once: read, seal, write what is missing or older, read back and compare. */
import { subjectOf, type UserId } from '../../lib/identity/user-id.ts';
import { openStoredKeys, type StoredKey } from '../../lib/keys/stored-keys.ts';
import { callStart } from '../../lib/kv/erasure.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { sealKey } from '../../lib/vault/envelope.ts';
import { hintOf, type KeyRecord } from '../../lib/vault/key-record.ts';
import type { KeyRing } from '../../lib/vault/key-ring.ts';
import { type ReplaceOutcome, readRecords, replaceRecord } from '../../lib/vault/records.ts';
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
 * time is kept. Writes nothing unless `apply`.
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
      const existing = before[index];
      const result = compareStored(entry.planned, existing);
      if (result !== 'write' || !apply) {
        outcomes.push(result === 'write' ? outcomeOf(entry, { result: 'moved' }) : outcomeOf(entry, result));
        return [];
      }
      const next = await recordOf(ring, entry, existing);
      writes.push({ ...entry, text: JSON.stringify(next) });
      const start = await callStart(entry.user, startedAt);
      return [replaceRecord(entry.user, entry.planned.provider, existing?.stored?.text, next, start)];
    }),
  );
  const replaced = await runWithRetries(kv, queries.flat());
  const after = await readStoredKeys(destination, writes);
  return [
    ...outcomes,
    ...writes.map((write, index) => outcomeOf(write, checkWritten(write, after[index], replaced[index]))),
  ];
}

type MoveResult = Pick<Outcome, 'result' | 'reason'>;

function compareStored(planned: PlannedKey, existing: StoredKey | undefined): MoveResult | 'write' {
  if (existing === undefined) return 'write';
  if (existing.key === undefined || existing.stored === undefined) {
    return { result: 'failed', reason: 'a key is stored that does not open; delete it and run this again' };
  }
  if (existing.key.reveal() === planned.key.reveal()) return { result: 'already there' };
  if (Date.parse(existing.stored.record.updatedAt) >= planned.updatedAt.getTime()) {
    return { result: 'skipped', reason: 'the user has stored a newer key' };
  }
  return 'write';
}

function checkWritten(
  write: Entry & { readonly text: string },
  existing: StoredKey | undefined,
  outcome: ReplaceOutcome | undefined,
): MoveResult {
  if (outcome === 'erased') return { result: 'skipped', reason: 'the user has been erased meanwhile' };
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

/** The stored key of each entry; undefined if there is none. */
async function readStoredKeys(
  { kv, ring }: Destination,
  entries: readonly Entry[],
): Promise<readonly (StoredKey | undefined)[]> {
  const records = await runWithRetries(
    kv,
    entries.map(({ user, planned: { provider } }) => readRecords(user, [provider])),
  );
  return Promise.all(
    entries.map(async ({ user, planned: { provider } }, index) => {
      const sources = { ring, localKeys: undefined };
      return (await openStoredKeys(sources, user, [provider], records[index] ?? new Map()))[0];
    }),
  );
}

function outcomeOf({ user }: Entry, result: MoveResult): Outcome {
  return { what: 'key', user: subjectOf(user), ...result };
}
