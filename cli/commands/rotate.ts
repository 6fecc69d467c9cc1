import { countRecords, rotationStep } from '../../lib/rotation/rotation.ts';
import {
  countLeft,
  EMPTY_TALLY,
  type RotationState,
  readRotationState,
  type Tally,
} from '../../lib/rotation/rotation-state.ts';
import { readRetired, reinstateKid, retireKid } from '../../lib/vault/retired-kids.ts';
import { type Deployment, openDeployment } from '../deployment.ts';
import { EXIT } from '../exit-codes.ts';
import { runOperatorCommand } from '../operator-command.ts';
import { count, print, printBad, printGood, printTitle } from '../terminal/print.ts';
import { withProgress, withSpinner } from '../terminal/progress.ts';
import { faint } from '../terminal/style.ts';
import { assessMasterKeys, isWorkLeft, printMasterKeys } from './master-key-report.ts';

/** Short steps, so that the progress display moves. */
const STEP = { maxMs: 300, maxUsers: 1_000_000 };
/** A walk can miss records that an outdated deployment saves meanwhile. The next walk finds them. */
const MAX_WALKS = 5;

export async function rotate({
  dryRun = false,
  retire,
  reinstate,
}: {
  readonly dryRun?: boolean | undefined;
  readonly retire?: string | undefined;
  readonly reinstate?: string | undefined;
}): Promise<number> {
  return runOperatorCommand(async () => {
    const deployment = await openDeployment(process.cwd());
    if (reinstate !== undefined) return reinstateKey(deployment, reinstate);
    if (retire !== undefined && !(await retireKey(deployment, retire))) return EXIT.failed;
    return rotateRecords(deployment, dryRun);
  });
}

/**
 * Re-seals what is under an old key, then counts every record again. Prints what may be done with each master key
 * only after such a count has reached its end: an error before that leaves this function without a report.
 */
async function rotateRecords(deployment: Deployment, dryRun: boolean): Promise<number> {
  const { kv, ring, storeHost } = deployment;
  printTitle('rotate', `key store ${storeHost}, current master key ${ring.currentKid}`);
  const before = await kv.run(readRotationState());
  const walks = dryRun ? [] : await resumeWalk(deployment, before);
  let tally = await countAll(deployment);
  while (!dryRun && walks.length < MAX_WALKS && countOld(deployment, tally) > 0) {
    walks.push(await resealAll(deployment, tally.users));
    tally = await countAll(deployment);
  }
  const usedBefore = [before.last?.tally ?? EMPTY_TALLY, ...walks].flatMap(({ found }) => [...found.keys()]);
  const retired = await kv.run(readRetired());
  const masterKeys = assessMasterKeys(tally, ring, { retired, usedBefore: new Set(usedBefore) });

  printCounts(tally, dryRun ? undefined : walks.reduce((sum, { resealed }) => sum + resealed, 0));
  printMasterKeys(masterKeys, tally, dryRun);
  return isWorkLeft(masterKeys, dryRun) ? EXIT.failed : EXIT.success;
}

/** Finishes a walk that was interrupted, if there is one. Counting before that would only take time. */
async function resumeWalk(deployment: Deployment, { running, last }: RotationState): Promise<Tally[]> {
  if (running?.target !== deployment.ring.currentKid) return [];
  return [await resealAll(deployment, last?.tally.users ?? 0)];
}

function countAll(deployment: Deployment): Promise<Tally> {
  return withSpinner('Counting', (report) =>
    countRecords(deployment, ({ users }) => report(count(users, 'user'))),
  );
}

/** Walks over all records. Returns what the walk found, including its part before an interruption. */
function resealAll(deployment: Deployment, users: number): Promise<Tally> {
  return withProgress({ label: 'Re-sealing', total: users, unit: 'users' }, async (report) => {
    for (;;) {
      const { outcome, state } = await rotationStep(deployment, STEP, { evenIfIdle: true });
      if (outcome !== 'more') return state.last?.tally ?? EMPTY_TALLY;
      report(state.running?.tally.users ?? 0);
    }
  });
}

/** How many readable records are not under the current key yet. */
function countOld({ ring }: Deployment, tally: Tally): number {
  return countLeft(tally, (kid) => kid !== ring.currentKid && ring.kids.has(kid));
}

function printCounts(tally: Tally, resealed: number | undefined): void {
  const records = countLeft(tally, () => true) + tally.unreadable;
  const suffix = resealed === undefined ? '' : `, ${resealed === 0 ? 'none' : resealed} re-sealed`;
  print(faint(`${count(records, 'record')} of ${count(tally.users, 'user')}${suffix}`));
}

/** From now on the store refuses records under that key. Returns false, and does nothing, if it must not be retired. */
async function retireKey({ kv, ring }: Deployment, kid: string): Promise<boolean> {
  if (kid === ring.currentKid) {
    printBad(`${kid} is the current master key. Put another key first in VAULT_KEYS and deploy that.`);
    return false;
  }
  if (!ring.kids.has(kid)) {
    printBad(`${kid} is not in VAULT_KEYS. Add it again, so that records under it can be re-sealed.`);
    return false;
  }
  await kv.run(retireKid(kid));
  printGood(`${kid} is retired: the store refuses new records under it, from every deployment.`);
  return true;
}

async function reinstateKey({ kv }: Deployment, kid: string): Promise<number> {
  await kv.run(reinstateKid(kid));
  printGood(`${kid} is no longer retired: records can be sealed under it again.`);
  return EXIT.success;
}
