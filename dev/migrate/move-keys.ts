/** Moves keys of several users at once: look, seal, write what is missing or older, read back and compare. */

import { Problem, type ProblemCode } from '../../lib/errors.ts';
import type { UserId } from '../../lib/identity/user-id.ts';
import { createHoldKeys, type HeldKey } from '../../lib/keys/stored-keys.ts';
import { callStart } from '../../lib/kv/erasure.ts';
import type { Ask, Kv } from '../../lib/kv/kv.ts';
import { readRecords, replaceRecord } from '../../lib/vault/records.ts';
import { sealKey } from '../../lib/vault/envelope.ts';
import { hintOf, type KeyRecord } from '../../lib/vault/key-record.ts';
import type { KeyRing } from '../../lib/vault/key-ring.ts';
import { askTogether } from './ask-together.ts';
import type { Outcome } from './outcome.ts';
import type { Plan, PlannedKey } from './plan-user.ts';

export type Destination = {
  readonly kv: Kv;
  readonly ring: KeyRing;
  /** When the migration began: a user who is erased after that stays erased. */
  readonly begun: Date;
};

type Entry = { readonly user: UserId; readonly planned: PlannedKey };

/**
 * Writes only where there is nothing or something older, by compare-and-set, so that what a user saves at the
 * same time stays. Nothing at all is written unless `apply`.
 */
export async function moveKeys(
  destination: Destination,
  plans: readonly Plan[],
  apply: boolean,
): Promise<readonly Outcome[]> {
  const { kv, ring, begun } = destination;
  const outcomes: Outcome[] = [];
  const writes: (Entry & { readonly text: string })[] = [];
  const entries = plans.flatMap(({ user, keys }) => keys.map((planned) => ({ user, planned })));
  const before = await holdAll(destination, entries);

  const asks = await Promise.all(
    entries.map(async (entry, index) => {
      const held = before[index];
      const verdict = judge(entry.planned, held);
      if (verdict !== 'write' || !apply) {
        outcomes.push(
          verdict === 'write' ? outcomeOf(entry, { result: 'moved' }) : outcomeOf(entry, verdict),
        );
        return [];
      }
      const next = await recordOf(ring, entry, held);
      writes.push({ ...entry, text: JSON.stringify(next) });
      const start = await callStart(entry.user, begun);
      return [settle(replaceRecord(entry.user, entry.planned.provider, held?.stored?.text, next, start))];
    }),
  );
  const refusals = await askTogether(kv, asks.flat());
  const after = await holdAll(destination, writes);
  return [
    ...outcomes,
    ...writes.map((write, index) => outcomeOf(write, compare(write, after[index], refusals[index]))),
  ];
}

type Verdict = Pick<Outcome, 'result' | 'reason'>;

function judge(planned: PlannedKey, held: HeldKey | undefined): Verdict | 'write' {
  if (held === undefined) return 'write';
  if (held.key === undefined || held.stored === undefined) {
    return { result: 'failed', reason: 'a key is stored that does not open; delete it and run this again' };
  }
  if (held.key.reveal() === planned.key.reveal()) return { result: 'already there' };
  if (Date.parse(held.stored.record.updatedAt) >= planned.updatedAt.getTime()) {
    return { result: 'skipped', reason: 'the user has stored a newer key' };
  }
  return 'write';
}

function compare(
  write: Entry & { readonly text: string },
  held: HeldKey | undefined,
  refusal: Verdict | undefined,
): Verdict {
  if (refusal !== undefined) return refusal;
  if (held?.stored !== undefined && held.stored.text !== write.text) {
    return { result: 'skipped', reason: 'the user has stored a newer key' };
  }
  if (held?.key?.reveal() === write.planned.key.reveal()) return { result: 'moved' };
  return { result: 'failed', reason: 'it does not read back as it was written' };
}

/**
 * A write whose answer is a refusal that is final. Whether it was the one that wrote does not matter: after a
 * retry a no may follow on an unheard yes.
 */
function settle(write: Ask<boolean>): Ask<Verdict | undefined> {
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

const REFUSALS: ReadonlyMap<ProblemCode, Verdict> = new Map([
  ['account_erased', { result: 'skipped', reason: 'the user has been erased meanwhile' }],
  [
    'deployment_outdated',
    { result: 'failed', reason: 'the first master key of VAULT_KEYS has been retired' },
  ],
]);

async function recordOf(
  ring: KeyRing,
  { user, planned }: Entry,
  held: HeldKey | undefined,
): Promise<KeyRecord> {
  const { provider, key, createdAt, updatedAt } = planned;
  const former = held?.stored?.record;
  return {
    v: 1,
    jwe: await sealKey(ring, { user, provider }, key),
    hint: hintOf(key.reveal()),
    status: 'unverified',
    version: (former?.version ?? 0) + 1,
    createdAt: former?.createdAt ?? createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

/** What is stored for each entry; undefined where nothing is. */
async function holdAll(
  { kv, ring }: Destination,
  entries: readonly Entry[],
): Promise<readonly (HeldKey | undefined)[]> {
  const holdKeys = createHoldKeys(ring);
  const bundles = await askTogether(
    kv,
    entries.map(({ user, planned: { provider } }) => readRecords(user, [provider])),
  );
  return Promise.all(
    entries.map(async ({ user, planned: { provider } }, index) => {
      const bundle = bundles[index] ?? new Map();
      return (await holdKeys(user, [provider], bundle))[0];
    }),
  );
}

function outcomeOf({ user }: Entry, verdict: Verdict): Outcome {
  return { what: 'key', user, ...verdict };
}
