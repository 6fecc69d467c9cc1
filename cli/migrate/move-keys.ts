/** Moves keys of several users at once: read, seal, write what is missing or older, read back and compare. */
import { Problem, type ProblemCode } from '../../lib/errors.ts';
import type { UserId } from '../../lib/identity/user-id.ts';
import { createHoldKeys, type HeldKey } from '../../lib/keys/hold-keys.ts';
import { callStart } from '../../lib/kv/erasure-mark.ts';
import type { Ask, Kv } from '../../lib/kv/kv.ts';
import { readBundle, replaceRecord } from '../../lib/vault/bundle.ts';
import { sealKey } from '../../lib/vault/envelope.ts';
import { hintOf, type KeyRecord } from '../../lib/vault/key-record.ts';
import type { KeyRing } from '../../lib/vault/key-ring.ts';
import { askWithRetries } from './ask-with-retries.ts';
import type { Outcome } from './migrate.ts';
import type { Plan, PlannedKey } from './plan-user.ts';

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

  const asks = await Promise.all(
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
      return [
        toRefusal(replaceRecord(entry.user, entry.planned.provider, existing?.stored?.text, next, start)),
      ];
    }),
  );
  const refusals = await askWithRetries(kv, asks.flat());
  const after = await readStoredKeys(destination, writes);
  return [
    ...outcomes,
    ...writes.map((write, index) => outcomeOf(write, checkWritten(write, after[index], refusals[index]))),
  ];
}

type MoveResult = Pick<Outcome, 'result' | 'reason'>;

function compareStored(planned: PlannedKey, existing: HeldKey | undefined): MoveResult | 'write' {
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
  existing: HeldKey | undefined,
  refusal: MoveResult | undefined,
): MoveResult {
  if (refusal !== undefined) return refusal;
  if (existing?.stored !== undefined && existing.stored.text !== write.text) {
    return { result: 'skipped', reason: 'the user has stored a newer key' };
  }
  if (existing?.key?.reveal() === write.planned.key.reveal()) return { result: 'moved' };
  return { result: 'failed', reason: 'it does not read back as it was written' };
}

/**
 * The same write, read as its final refusal, if any. Its boolean result does not matter: when a first try succeeded
 * but its answer was lost, the retry reports false.
 */
function toRefusal(write: Ask<boolean>): Ask<MoveResult | undefined> {
  return {
    ...write,
    read(results) {
      try {
        write.read(results);
        return undefined;
      } catch (error) {
        const refusal = error instanceof Problem ? REFUSALS.get(error.code) : undefined;
        if (refusal === undefined) throw error;
        return refusal;
      }
    },
  };
}

const REFUSALS: ReadonlyMap<ProblemCode, MoveResult> = new Map([
  ['account_erased', { result: 'skipped', reason: 'the user has been erased meanwhile' }],
  [
    'deployment_outdated',
    { result: 'failed', reason: 'the first master key of VAULT_KEYS has been retired' },
  ],
]);

async function recordOf(
  ring: KeyRing,
  { user, planned }: Entry,
  existing: HeldKey | undefined,
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
): Promise<readonly (HeldKey | undefined)[]> {
  const holdKeys = createHoldKeys(ring);
  const bundles = await askWithRetries(
    kv,
    entries.map(({ user, planned: { provider } }) => readBundle(user, [provider])),
  );
  return Promise.all(
    entries.map(async ({ user, planned: { provider } }, index) => {
      const bundle = bundles[index] ?? new Map();
      return (await holdKeys(user, [provider], bundle))[0];
    }),
  );
}

function outcomeOf({ user }: Entry, result: MoveResult): Outcome {
  return { what: 'key', user, ...result };
}
