/** What an operator may do with each master key, from a fresh count. */
import type { Tally } from '../../lib/rotation/rotation-state.ts';
import type { KeyRing } from '../../lib/vault/key-ring.ts';
import { count } from '../terminal/count.ts';
import { print, printBad, printGood, printTable } from '../terminal/print.ts';
import { bad, faint, good } from '../terminal/style.ts';

/**
 * - `seals`: the current key.
 * - `needed`: on the ring, and records need it.
 * - `removable`: on the ring, and no record needs it. `retired`: the store lets no deployment bring it back.
 * - `missing`: records need it and it is not on the ring.
 */
export type KidVerdict = {
  readonly kid: string;
  readonly records: number;
  readonly is: 'seals' | 'needed' | 'removable' | 'missing';
  readonly retired: boolean;
  /** Known to be a key of former times, not one that was added to be promoted next. */
  readonly former: boolean;
};

/** `emptied`: keys that records were found under before they were sealed anew. */
export function judgeKids(
  tally: Tally,
  ring: KeyRing,
  retired: ReadonlySet<string>,
  emptied: ReadonlySet<string>,
): readonly KidVerdict[] {
  const kids = new Set([...ring.kids, ...tally.left.keys()]);
  return [...kids].map((kid) => {
    const records = tally.left.get(kid) ?? 0;
    const onRing = ring.kids.has(kid);
    const unneeded = onRing ? 'removable' : 'missing';
    const is = kid === ring.currentKid ? 'seals' : onRing && records > 0 ? 'needed' : unneeded;
    const isRetired = retired.has(kid);
    return { kid, records, is, retired: isRetired, former: isRetired || emptied.has(kid) };
  });
}

/** 1 when something is wrong, or was not done that this run should have done. What a dry run leaves to do is neither. */
export function exitCodeOf(verdicts: readonly KidVerdict[], dryRun: boolean): number {
  const isBad = ({ is, retired }: KidVerdict) =>
    is === 'missing' || (is === 'needed' && !dryRun) || (is === 'seals' && retired);
  return verdicts.some(isBad) ? 1 : 0;
}

export function printVerdicts(verdicts: readonly KidVerdict[], tally: Tally, dryRun: boolean): void {
  print();
  printTable(
    ['master key', 'records', ''],
    verdicts.map(({ kid, records, is, retired }) => [kid, String(records), REMARKS[is] + note(retired)]),
  );
  print();
  if (tally.unreadable > 0) {
    print(
      `${count(tally.unreadable, 'record')} open with no key: damaged, or moved from elsewhere. Left alone;`,
    );
    print('users see them as unreadable and can save the key again.');
    print();
  }
  for (const verdict of verdicts) printAdvice(verdict, dryRun);
}

const REMARKS = {
  seals: good('seals'),
  needed: 'still needed',
  removable: good('not needed'),
  missing: bad('missing'),
} as const;

function note(retired: boolean): string {
  return retired ? faint(', retired') : '';
}

function printAdvice({ kid, records, is, retired, former }: KidVerdict, dryRun: boolean): void {
  const needIt = `${count(records, 'record')} ${records === 1 ? 'needs' : 'need'} it`;
  switch (is) {
    case 'removable':
      if (!former) {
        print(`No record needs ${kid}. If you have just added it: put it first in VAULT_KEYS and deploy.`);
        print(faint(`If it sealed before: npm run rotate -- --retire ${kid}, then remove it.`));
        return;
      }
      printGood(`${kid} can be removed from VAULT_KEYS: no record needs it.`);
      if (retired) return;
      print(
        faint(
          'Former deployments stay reachable at their own addresses; if one of them still seals with it,',
        ),
      );
      print(faint(`it would come back. To rule that out first: npm run rotate -- --retire ${kid}`));
      return;
    case 'needed':
      if (dryRun) print(`${kid} must stay in VAULT_KEYS: ${needIt}. Next: npm run rotate`);
      else printBad(`${kid} must stay in VAULT_KEYS: ${needIt}.`);
      return;
    case 'missing':
      printBad(`${kid} is not in VAULT_KEYS and ${needIt}. Put it back, after the key that seals.`);
      return;
    case 'seals':
      if (retired) printBad(`${kid} is retired: nothing can be saved. npm run rotate -- --reinstate ${kid}`);
  }
}
