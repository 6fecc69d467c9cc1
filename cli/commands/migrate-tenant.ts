import { type Deployment, openDeployment } from '../deployment.ts';
import { EXIT } from '../exit-codes.ts';
import { findLegacyUsers } from '../migrate/legacy-names.ts';
import { moveToTenant, type TenantTally } from '../migrate/move-to-tenant.ts';
import { runOperatorCommand } from '../operator-command.ts';
import { count, print, printBad, printGood, printTable, printTitle } from '../terminal/print.ts';
import { withProgress, withSpinner } from '../terminal/progress.ts';
import { bad, caution } from '../terminal/style.ts';

/** Gives the data of every user a name with the tenant. docs/upgrading.md has the steps. */
export async function migrateTenant({
  apply = false,
  moveUnreadable = false,
}: {
  readonly apply?: boolean | undefined;
  readonly moveUnreadable?: boolean | undefined;
}): Promise<number> {
  return runOperatorCommand(async () => {
    const deployment = await openDeployment(process.cwd());
    const { storeHost, tenant } = deployment;
    printTitle('migrate tenant', `key store ${storeHost}, tenant ${tenant}`);
    const tally = await moveAll(deployment, apply, moveUnreadable);
    return printTally(tally, { apply, moveUnreadable });
  });
}

async function moveAll(
  deployment: Deployment,
  apply: boolean,
  movesUnreadable: boolean,
): Promise<TenantTally> {
  const subs = await withSpinner('Searching', (report) =>
    findLegacyUsers(deployment.kv, (found) => report(count(found, 'user'))),
  );
  return withProgress(
    { label: apply ? 'Moving' : 'Comparing', total: subs.length, unit: 'users' },
    (onProgress) => moveToTenant({ ...deployment, apply, movesUnreadable, onProgress }, subs),
  );
}

function printTally(
  tally: TenantTally,
  { apply, moveUnreadable }: { readonly apply: boolean; readonly moveUnreadable: boolean },
): number {
  const { users, resealed, unreadable, superseded, waiting, missingKids, contended } = tally;
  print();
  printTable(
    ['', apply ? 'moved' : 'to move', 'left as they are'],
    [
      ['users', String(users), waiting + contended > 0 ? bad(String(waiting + contended)) : '0'],
      ['records sealed for the tenant', String(resealed), ''],
      ...(unreadable > 0
        ? [
            [
              'records that do not open',
              moveUnreadable ? caution(String(unreadable)) : '',
              moveUnreadable ? '' : bad(String(unreadable)),
            ],
          ]
        : []),
    ],
  );
  print();
  if (superseded > 0) {
    print(
      `${count(superseded, 'old record')} not moved: the user has stored a newer key under the new name.`,
    );
  }
  for (const [kid, records] of missingKids) {
    printBad(
      `${count(records, 'record')} under ${kid}, which is not in VAULT_KEYS. Add it after the first key.`,
    );
  }
  if (unreadable > 0 && !moveUnreadable) {
    printBad(
      `${count(unreadable, 'record')} not opened by the master key of that name: damaged, or sealed under another key. ` +
        'Check VAULT_KEYS. Then add --move-unreadable: the records are moved as they are, and their users save these keys again.',
    );
  }
  if (contended > 0)
    printBad(`${count(contended, 'user')} kept changing. A deployment of an earlier version is in use.`);
  if (waiting + contended > 0) {
    print('The data of the users that were left is unchanged. Run this again when that is done.');
    return EXIT.failed;
  }
  if (!apply)
    print(
      users === 0
        ? 'There is nothing to move.'
        : 'This was a dry run: nothing was written. Add --apply to move.',
    );
  else
    printGood(
      'No data has an old name any more. Each record was read back and opened before the old one was deleted.',
    );
  return EXIT.success;
}
