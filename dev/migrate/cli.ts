/** `npm run migrate`: keys and onboarding sessions of the old system into KV. docs/migrate.md shows it. */
import { ConfigError } from '../../lib/errors.ts';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../lib/config.ts';
import { isUserId } from '../../lib/identity/user-id.ts';
import { createKv } from '../../lib/kv/kv.ts';
import { loadKeyRing } from '../../lib/vault/key-ring.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import { unwrapWithKms } from '../../lib/vault/kms.ts';
import { explainUsage } from '../terminal/explain-usage.ts';
import { holdLogs } from '../terminal/hold-logs.ts';
import { print, printBad } from '../terminal/print.ts';
import { explainDatabaseFailure, explainFileFailure } from './explain-failure.ts';
import { migrate } from './migrate.ts';
import type { Source } from './old-user.ts';
import { printTally } from './print-tally.ts';
import { createProgressBar } from './progress-bar.ts';
import { readEnvFile } from './read-env-file.ts';
import { readPostgres } from './read-postgres.ts';

const USAGE = `
  Moves keys and onboarding sessions of the old system into the key store.
  Without --apply nothing is written: it says what it would do.

  npm run migrate -- env --user <sub> [--file .env] [--apply]
      the provider variables of a file become the keys of one user

  npm run migrate -- postgres [--apply]
      the sessions and keys of every user, from DATABASE_URL or the PG* variables

  --settings <file>   where KV_REST_API_URL, VAULT_KEYS and so on are, if not in the environment
`;

process.exitCode = await main();

async function main(): Promise<number> {
  const given = readArguments();
  if (given === undefined) return explainUsage(USAGE);
  const { open, explain, apply, settings } = given;
  const lastLog = holdLogs();
  try {
    if (settings !== undefined) process.loadEnvFile(settings);
  } catch (error) {
    printBad(explainFileFailure(error, '--settings', settings ?? ''));
    return 1;
  }
  try {
    const config = loadConfig();
    const kv = createKv(config.kv, createUndiciSend());
    const destination = { kv, ring: await loadKeyRing(config, unwrapWithKms), begun: new Date() };
    const source = await open();
    try {
      const bar = createProgressBar(await source.countUsers(), 'users', process.stderr);
      const { steps } = config.onboarding;
      const onProgress = (done: number) => bar.show(done);
      const tally = await migrate({ source, destination, steps, apply, onProgress });
      bar.finish();
      printTally(tally, apply);
      const failures = tally.counts.key.failed + tally.counts.session.failed;
      if (failures > 0) printReason(lastLog());
      return failures > 0 ? 1 : 0;
    } finally {
      await source.close();
    }
  } catch (error) {
    if (error instanceof ConfigError) {
      printBad(`Not configured. ${error.message}.`);
      print(
        `Looked in the environment${settings === undefined ? '; --settings names a file' : ` and ${settings}`}.`,
      );
    } else {
      printBad(explain(error));
      printReason(lastLog());
    }
    return 1;
  }
}

/** What the key store or the keeper of the master keys said, where it is the reason. */
function printReason(lastLog: string | undefined): void {
  if (lastLog !== undefined) print(lastLog);
}

type Arguments = {
  readonly open: () => Promise<Source>;
  /** What went wrong with it, in a sentence. */
  readonly explain: (error: unknown) => string;
  readonly apply: boolean;
  readonly settings: string | undefined;
};

/** The command line, or undefined when it cannot be understood. */
function readArguments(): Arguments | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        user: { type: 'string' },
        file: { type: 'string', default: '.env' },
        apply: { type: 'boolean', default: false },
        settings: { type: 'string' },
      },
    });
    const { user, file, apply, settings } = values;
    const [from, ...rest] = positionals;
    if (rest.length > 0) return undefined;
    if (from === 'postgres') {
      const explain = (error: unknown) => explainDatabaseFailure(error, process.env);
      return { open: () => readPostgres(process.env.DATABASE_URL), explain, apply, settings };
    }
    if (from === 'env' && isUserId(user)) {
      const explain = (error: unknown) => explainFileFailure(error, '--file', file);
      return { open: () => readEnvFile(file, user), explain, apply, settings };
    }
    return undefined;
  } catch {
    return undefined;
  }
}
