import { countRecords } from '../../lib/rotation/rotation.ts';
import { type RotationState, readRotationState } from '../../lib/rotation/rotation-state.ts';
import { rotationStep } from '../../lib/rotation/rotation.ts';
import { countLeft, EMPTY_TALLY, type Tally } from '../../lib/rotation/rotation-state.ts';
import { readRetired } from '../../lib/vault/retired-kids.ts';
import { createProgressBar } from '../migrate/progress-bar.ts';
import { count } from '../terminal/count.ts';
import { print, printTitle } from '../terminal/print.ts';
import { faint } from '../terminal/style.ts';
import { exitCodeOf, judgeKids, printVerdicts } from './kid-verdicts.ts';
import type { Vault } from './open-vault.ts';

/** Short steps, so that the bar moves. */
const STEP = { maxMs: 300, maxUsers: 1_000_000 };
/** A walk can miss what a deployment with former settings saves meanwhile; the next one finds it. */
const MAX_WALKS = 5;

/**
 * Counts, seals anew what is under an old key, and counts again: what is said about a key is from a count of its
 * own, after the last record was sealed. 0 when nothing is left to do.
 */
export async function rotateRecords(vault: Vault, { dryRun }: { readonly dryRun: boolean }): Promise<number> {
  printTitle('rotate', `the store at ${vault.storeHost}, sealing under ${vault.ring.currentKid}`);
  const before = await vault.kv.run(readRotationState());
  const walks = dryRun ? [] : await goOn(vault, before);
  let tally = await countAll(vault);
  while (!dryRun && walks.length < MAX_WALKS && countOld(vault, tally) > 0) {
    walks.push(await sealAnew(vault, tally.users));
    tally = await countAll(vault);
  }
  printCounts(tally, dryRun ? undefined : walks.reduce((sum, { resealed }) => sum + resealed, 0));
  const seen = [before.last?.tally ?? EMPTY_TALLY, ...walks];
  const emptied = new Set(seen.flatMap(({ found }) => [...found.keys()]));
  const verdicts = judgeKids(tally, vault.ring, await vault.kv.run(readRetired()), emptied);
  printVerdicts(verdicts, tally, dryRun);
  return exitCodeOf(verdicts, dryRun);
}

/** A walk that was cut off is finished first: counting everything before that would only take time. */
async function goOn(vault: Vault, { running, last }: RotationState): Promise<Tally[]> {
  if (running?.target !== vault.ring.currentKid) return [];
  return [await sealAnew(vault, last?.tally.users ?? 0)];
}

async function countAll(vault: Vault): Promise<Tally> {
  const tally = await countRecords(vault, ({ users }) => {
    if (process.stderr.isTTY) process.stderr.write(`\r  counting: ${users} users\u001b[K`);
  });
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  return tally;
}

function printCounts(tally: Tally, resealed: number | undefined): void {
  const records = countLeft(tally, () => true) + tally.unreadable;
  const sealed = resealed === undefined ? '' : `, ${resealed === 0 ? 'none' : resealed} sealed anew`;
  print(faint(`${count(records, 'record')} of ${count(tally.users, 'user')}${sealed}`));
}

/** What the whole walk found and did, with what it had done before it was cut off. */
async function sealAnew(vault: Vault, users: number): Promise<Tally> {
  const bar = createProgressBar(users, 'users', process.stderr);
  bar.show(0);
  for (;;) {
    const { outcome, state } = await rotationStep(vault, STEP, { evenIfIdle: true });
    if (outcome === 'more') {
      bar.show(state.running?.tally.users ?? 0);
      continue;
    }
    bar.show(users);
    bar.finish();
    return state.last?.tally ?? EMPTY_TALLY;
  }
}

/** Records that open and are not under the current key yet. */
function countOld({ ring }: Vault, tally: Tally): number {
  return countLeft(tally, (kid) => kid !== ring.currentKid && ring.kids.has(kid));
}
