import { stripVTControlCharacters } from 'node:util';
import { loadVaultConfig } from '../../lib/config.ts';
import { Problem } from '../../lib/errors.ts';
import { tenantOf } from '../../lib/identity/user-id.ts';
import { createKv } from '../../lib/kv/kv.ts';
import { describeOrigin } from '../../lib/log.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import { loadKeyRing } from '../../lib/vault/key-ring.ts';
import { unwrapWithKms } from '../../lib/vault/kms.ts';
import { EXIT } from '../exit-codes.ts';
import { migrate, type Tally } from '../migrate/migrate.ts';
import { readEnvFile, type Source } from '../migrate/old-system.ts';
import { readPostgres } from '../migrate/read-postgres.ts';
import { runOperatorCommand } from '../operator-command.ts';
import { print, printBad, printError, printGood, printTable } from '../terminal/print.ts';
import { withProgress } from '../terminal/progress.ts';
import { bad, caution, faint, strong } from '../terminal/style.ts';

type MigrateOptions = { readonly apply?: boolean | undefined; readonly settings?: string | undefined };

/** Stores the provider keys of an `.env` file as the keys of one user. */
export async function migrateEnvFile({
  file,
  user,
  ...options
}: MigrateOptions & { readonly file: string; readonly user: string }): Promise<number> {
  return migrateFrom(
    () => readEnvFile(file, user),
    (error) => describeFailure(error, FILE_ERRORS, `--file ${file}`),
    options,
  );
}

/** Moves the keys and sessions of every user from the database of `DATABASE_URL` or the `PG*` variables. */
export async function migratePostgres(options: MigrateOptions): Promise<number> {
  return migrateFrom(
    () => readPostgres(process.env.DATABASE_URL),
    (error) => describeFailure(error, DATABASE_ERRORS, databaseOption(process.env)),
    options,
  );
}

/** `describe`: says in a sentence why the source could not be read. */
async function migrateFrom(
  open: () => Promise<Source>,
  describe: (error: unknown) => string,
  { apply = false, settings }: MigrateOptions,
): Promise<number> {
  try {
    if (settings !== undefined) process.loadEnvFile(settings);
  } catch (error) {
    printError(describeFailure(error, FILE_ERRORS, `--settings ${settings}`));
    return EXIT.failed;
  }
  const settingsFrom = `the environment${settings === undefined ? '; --settings names a file' : ` and ${settings}`}`;
  return runOperatorCommand(
    async (lastLog) => {
      const config = loadVaultConfig(process.env);
      const kv = createKv(config.kv, createUndiciSend());
      const destination = { kv, ring: await loadKeyRing(config, unwrapWithKms), startedAt: new Date() };
      const tenant = await tenantOf(config.auth);
      const source = await open();
      try {
        const { steps } = config.onboarding;
        const total = await source.countUsers();
        const tally = await withProgress(
          { label: apply ? 'Moving' : 'Comparing', total, unit: 'users' },
          (onProgress) => migrate({ source, destination, tenant, steps, apply, onProgress }),
        );
        printTally(tally, apply);
        const reason = lastLog();
        if (countFailures(tally) === 0) return EXIT.success;
        if (reason !== undefined) print(reason);
        return EXIT.failed;
      } finally {
        await source.close();
      }
    },
    { settingsFrom, describe },
  );
}

/** Prints how many keys and sessions were moved, and why the others were not. */
function printTally(tally: Tally, apply: boolean): void {
  const rows = (['key', 'session'] as const).map((what) => {
    const { moved, skipped, failed, 'already there': there } = tally.counts[what];
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
  if (tally.reasons.size > 0) print();
  for (const [reason, { count, users }] of tally.reasons) {
    const names = users.map((user) => stripVTControlCharacters(user)).join(', ');
    print(`${count} × ${reason} ${faint(`(${names}${count > users.length ? ', …' : ''})`)}`);
  }
  print();
  const failures = countFailures(tally);
  if (failures > 0) printBad(`${failures} failed. Fix what you can, then run the same command again.`);
  else if (apply) printGood('Everything is in the new store. Each value was read back and compared.');
  else print('This was a dry run: nothing was written. Add --apply to move.');
}

function countFailures({ counts }: Tally): number {
  return counts.key.failed + counts.session.failed;
}

const FILE_ERRORS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'There is no such file'],
  ['EACCES', 'No permission to read the file'],
  ['EISDIR', 'This is a directory, not a file'],
]);

const DATABASE_ERRORS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'There is no such socket'],
  ['ECONNREFUSED', 'The database does not accept connections there'],
  ['ENOTFOUND', 'The database’s host is unknown'],
  ['ETIMEDOUT', 'The database does not answer'],
  ['ERR_INVALID_URL', 'This is not a connection string'],
  ['28P01', 'The database refuses the password'],
  ['28000', 'The database refuses the user'],
  ['3D000', 'There is no such database'],
  ['42P01', 'There is no table onboarding_sessions or api_keys'],
  ['42703', 'A column of onboarding_sessions or api_keys is missing; docs/migrate.md lists them'],
  ['42501', 'This database user may not read onboarding_sessions or api_keys'],
  ['57P01', 'The database was shut down. What was moved is moved; run this again'],
]);

/**
 * A sentence from the error's code. The message is left out: it could quote a connection string or a row. `option`
 * is the option or variable that led to the error.
 */
function describeFailure(error: unknown, sentences: ReadonlyMap<string, string>, option: string): string {
  if (error instanceof Problem) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const sentence = code === undefined ? undefined : sentences.get(code);
  if (sentence !== undefined) return `${sentence} (${option}).`;
  const { error: kind, frames } = describeOrigin(error);
  return `Unexpected error: ${kind}${code === undefined ? '' : ` ${code}`} ${frames}`;
}

function databaseOption(env: NodeJS.ProcessEnv): string {
  if (env.DATABASE_URL !== undefined) return 'DATABASE_URL';
  const isSet = Object.keys(env).some((name) => name.startsWith('PG'));
  return isSet ? 'the PG* variables' : 'neither DATABASE_URL nor a PG* variable is set';
}
