/** What an operator may do with each master key, from a complete count of the records. */
import type { Tally } from '../../lib/rotation/rotation-state.ts';
import type { KeyRing } from '../../lib/vault/key-ring.ts';
import { count, print, printBad, printGood, printTable } from '../terminal/print.ts';
import { bad, faint, good } from '../terminal/style.ts';

/**
 * - `current`: seals new records.
 * - `needed`: in VAULT_KEYS, and records need it.
 * - `removable`: in VAULT_KEYS, and no record needs it.
 * - `missing`: not in VAULT_KEYS, and records need it.
 */
type MasterKeyState = 'current' | 'needed' | 'removable' | 'missing';

export type MasterKeyStatus = {
  readonly kid: string;
  readonly records: number;
  readonly state: MasterKeyState;
  /** The store refuses new records under it, from every deployment. */
  readonly isRetired: boolean;
  /** Records are known to have been under it. False for a key that was only added, to become current next. */
  readonly wasUsed: boolean;
};

/** `usedBefore`: master keys that records were found under before they were re-sealed. */
export function assessMasterKeys(
  { left }: Tally,
  ring: KeyRing,
  known: { readonly retired: ReadonlySet<string>; readonly usedBefore: ReadonlySet<string> },
): readonly MasterKeyStatus[] {
  return [...new Set([...ring.kids, ...left.keys()])].map((kid) => {
    const records = left.get(kid) ?? 0;
    const isRetired = known.retired.has(kid);
    const wasUsed = isRetired || known.usedBefore.has(kid);
    return { kid, records, state: stateOf(kid, records, ring), isRetired, wasUsed };
  });
}

function stateOf(kid: string, records: number, ring: KeyRing): MasterKeyState {
  if (kid === ring.currentKid) return 'current';
  if (!ring.kids.has(kid)) return 'missing';
  return records > 0 ? 'needed' : 'removable';
}

/** Whether something is wrong, or was not done. Records that a dry run did not re-seal are neither. */
export function isWorkLeft(masterKeys: readonly MasterKeyStatus[], dryRun: boolean): boolean {
  return masterKeys.some(
    ({ state, isRetired }) =>
      state === 'missing' || (state === 'needed' && !dryRun) || (state === 'current' && isRetired),
  );
}

export function printMasterKeys(masterKeys: readonly MasterKeyStatus[], tally: Tally, dryRun: boolean): void {
  print();
  printTable(
    ['master key', 'records', 'state'],
    masterKeys.map(({ kid, records, state, isRetired }) => [
      kid,
      String(records),
      LABELS[state] + (isRetired ? faint(', retired') : ''),
    ]),
  );
  print();
  if (tally.unreadable > 0) {
    print(
      `${count(tally.unreadable, 'record')} cannot be opened: damaged, or copied from elsewhere. They stay`,
    );
    print('as they are. Their users see them as unreadable and can save the key again.');
    print();
  }
  for (const masterKey of masterKeys) printAdvice(masterKey, dryRun);
}

const LABELS = {
  current: good('current'),
  needed: 'still needed',
  removable: good('not needed'),
  missing: bad('missing'),
} as const;

function printAdvice({ kid, records, state, isRetired, wasUsed }: MasterKeyStatus, dryRun: boolean): void {
  const needIt = `${count(records, 'record')} ${records === 1 ? 'needs' : 'need'} it`;
  switch (state) {
    case 'removable':
      if (!wasUsed) {
        print(`No record needs ${kid}. If you have just added it: put it first in VAULT_KEYS and deploy.`);
        print(faint(`If it was in use before: npm run rotate -- --retire ${kid}, then remove it.`));
        return;
      }
      printGood(`${kid} can be removed from VAULT_KEYS: no record needs it.`);
      if (isRetired) return;
      print(
        faint('Earlier deployments stay reachable at their own addresses, and may still seal records with'),
      );
      print(faint(`it. To prevent that, run this before you remove it: npm run rotate -- --retire ${kid}`));
      return;
    case 'needed':
      if (dryRun) print(`${kid} must stay in VAULT_KEYS: ${needIt}. Next: npm run rotate`);
      else printBad(`${kid} must stay in VAULT_KEYS: ${needIt}.`);
      return;
    case 'missing':
      printBad(`${kid} is not in VAULT_KEYS and ${needIt}. Add it again, after the first key.`);
      return;
    case 'current':
      if (isRetired) {
        printBad(`${kid} is retired, so nothing can be saved. Undo: npm run rotate -- --reinstate ${kid}`);
      }
  }
}
