import { stripVTControlCharacters } from 'node:util';
import { print, printBad, printGood, printTable } from '../terminal/print.ts';
import { bad, caution, faint, strong } from '../terminal/style.ts';
import type { Tally } from './outcome.ts';

/** The closing table, and why what was left behind was left behind. */
export function printTally({ counts, reasons }: Tally, apply: boolean): void {
  const rows = (['key', 'session'] as const).map((what) => {
    const { moved, skipped, failed, 'already there': there } = counts[what];
    return [
      strong(`${what}s`),
      String(moved),
      String(there),
      skipped > 0 ? caution(String(skipped)) : '0',
      failed > 0 ? bad(String(failed)) : '0',
    ];
  });
  print();
  printTable(['', apply ? 'moved' : 'to move', 'already there', 'skipped', 'failed'], rows);
  if (reasons.size > 0) print();
  for (const [reason, { count, users }] of reasons) {
    const names = users.map((user) => stripVTControlCharacters(user)).join(', ');
    print(`${count} × ${reason} ${faint(`(${names}${count > users.length ? ', …' : ''})`)}`);
  }
  print();
  const failures = counts.key.failed + counts.session.failed;
  if (failures > 0) printBad(`${failures} failed. Set right what can be, and run the same again.`);
  else if (apply) printGood('Everything that should be in the new store is there, read back and compared.');
  else print('This was a dry run: nothing was written. Add --apply to move.');
}
