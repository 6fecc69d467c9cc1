/** `userkeys <command>`: everything a person types. Each command's code is loaded when the command runs. */
import { resolve } from 'node:path';
import { Option } from '@commander-js/extra-typings';
import { createProgram, runCommandLine } from './command-line.ts';
import type { DevOptions } from './commands/dev.ts';
import {
  applyOption,
  dataOption,
  lastOption,
  parsePath,
  portOption,
  settingsOption,
  userOption,
} from './options.ts';

const SETTINGS =
  'Needs KV_REST_API_URL, KV_REST_API_TOKEN, VAULT_KEYS and AUTH_ISSUER (or AUTH_TENANT), in the environment or an ' +
  '.env file.';

const program = createProgram('userkeys', 'Each user’s calls to a provider are paid by that user’s own key.');

program.commandsGroup('On your machine:');

program
  .command('dev')
  .description(
    'Run the functions, and start a key store and a token issuer if none is configured. ' +
      'Restarts the functions when code or configuration changes.',
  )
  .summary('run the functions, with a key store and a token issuer')
  .addOption(portOption())
  .addOption(dataOption())
  .addHelpText('after', examples(['npm run dev', 'npm run dev -- --port 4000']))
  .action(async (options) => {
    const { dev } = await import('./commands/dev.ts');
    process.exitCode = await dev(devOptions(options));
  });

program
  .command('demo')
  .description(
    'Show that each call is paid by its own caller’s key: two users, emulated providers, nothing leaves this ' +
      'machine. Stays up afterwards, so that you can try it.',
  )
  .summary('two users, emulated providers, and who paid for each call')
  .addOption(portOption())
  .option('--once', 'exit after the report')
  .addHelpText('after', examples(['npm run demo', 'npm run demo -- --once']))
  .action(async ({ port, once }) => {
    const { demo } = await import('./commands/demo.ts');
    process.exitCode = await demo({ root: projectRoot(), port, once });
  });

program
  .command('vercel')
  .description('Like `userkeys dev`, but the functions run under `vercel dev`. Needs no Vercel account.')
  .summary('like dev, with the functions under `vercel dev`')
  .addOption(portOption())
  .addOption(dataOption())
  .addHelpText('after', examples(['npm run dev:vercel']))
  .action(async (options) => {
    const { vercel } = await import('./commands/vercel.ts');
    process.exitCode = await vercel(devOptions(options));
  });

program.commandsGroup('For a deployment:');

program
  .command('vault-key')
  .description('Print a new master key for VAULT_KEYS.')
  .summary('print a new master key for VAULT_KEYS')
  .addHelpText('after', examples(['npm run --silent vault-key']))
  .action(async () => {
    const { randomBytes } = await import('node:crypto');
    const kid = `k${Math.floor(Date.now() / 1000)}`;
    process.stdout.write(`${kid}:${randomBytes(32).toString('base64url')}\n`);
  });

program
  .command('rotate')
  .description(
    'Re-seal every stored key under the first master key of VAULT_KEYS while the deployment is in use, then count ' +
      'the records and report which other master keys are no longer needed. You can interrupt it and run it again ' +
      `at any time. docs/rotation.md has the steps. ${SETTINGS}`,
  )
  .summary('re-seal stored keys under the first master key')
  .addOption(new Option('--dry-run', 'only count, and report what there is to do'))
  .addOption(
    new Option('--retire <kid>', 'first forbid sealing under this master key').conflicts([
      'dryRun',
      'reinstate',
    ]),
  )
  .addOption(
    new Option('--reinstate <kid>', 'allow sealing under this master key again, and exit').conflicts(
      'dryRun',
    ),
  )
  .addHelpText(
    'after',
    examples(['npm run rotate', 'npm run rotate -- --dry-run', 'npm run rotate -- --retire k1']),
  )
  .action(async (options) => {
    const { rotate } = await import('./commands/rotate.ts');
    process.exitCode = await rotate(options);
  });

const account = program
  .command('account')
  .description('Export or erase everything that is stored about one user.')
  .summary('export or erase what is stored about a user')
  .helpCommand(false);

account
  .command('export')
  .description(`Print everything that is stored about a user, except the keys, as JSON. ${SETTINGS}`)
  .summary('print it as JSON, without the keys')
  .addOption(userOption())
  .addHelpText('after', examples(['npm run --silent account -- export --user user_2abc > export.json']))
  .action(async ({ user }) => {
    const { exportAccount } = await import('./commands/account.ts');
    process.exitCode = await exportAccount(user);
  });

account
  .command('erase')
  .description(`Erase everything that is stored about a user, and check that nothing is left. ${SETTINGS}`)
  .summary('erase it, and check that nothing is left')
  .addOption(userOption())
  .option('--yes', 'do not ask for confirmation; required without a terminal')
  .addHelpText('after', examples(['npm run account -- erase --user user_2abc']))
  .action(async ({ user, yes }) => {
    const { eraseAccount } = await import('./commands/account.ts');
    process.exitCode = await eraseAccount(user, yes);
  });

program
  .command('audit')
  .description(`Print the newest entries of a user’s audit log. ${SETTINGS}`)
  .summary('print a user’s audit log')
  .addOption(userOption())
  .addOption(lastOption())
  .option('--json', 'print one JSON object per line instead of a table')
  .addHelpText(
    'after',
    examples([
      'npm run audit -- --user user_2abc',
      'npm run --silent audit -- --user user_2abc --json --last 500',
    ]),
  )
  .action(async (options) => {
    const { audit } = await import('./commands/audit.ts');
    process.exitCode = await audit(options);
  });

program.commandsGroup('Moving an existing app here:');

const migrate = program
  .command('migrate')
  .description(
    'Move keys and onboarding sessions of another system into the key store. Writes nothing without --apply. ' +
      'docs/migrate.md has the steps.',
  )
  .summary('move keys of another system into the key store')
  .helpCommand(false);

migrate
  .command('env')
  .description('Store the provider keys of an .env file as the keys of one user.')
  .summary('from an .env file, for one user')
  .addOption(userOption())
  .option('--file <path>', 'the file with the provider keys', '.env')
  .addOption(applyOption())
  .addOption(settingsOption())
  .addHelpText('after', examples(['npm run migrate -- env --user user_2abc --file .env --apply']))
  .action(async (options) => {
    const { migrateEnvFile } = await import('./commands/migrate.ts');
    process.exitCode = await migrateEnvFile(options);
  });

migrate
  .command('postgres')
  .description(
    'Move the keys and onboarding sessions of every user from the PostgreSQL database that DATABASE_URL or the ' +
      'PG* variables name. The database is only read.',
  )
  .summary('from a PostgreSQL database, for every user')
  .addOption(applyOption())
  .addOption(settingsOption())
  .addHelpText('after', examples(['npm run migrate -- postgres --settings .env.production --apply']))
  .action(async (options) => {
    const { migratePostgres } = await import('./commands/migrate.ts');
    process.exitCode = await migratePostgres(options);
  });

migrate
  .command('tenant')
  .description(
    'Give the data of every user a name with the tenant, and seal each record for it. For data that an earlier ' +
      `version of userkeys stored. You can interrupt it and run it again at any time. docs/upgrading.md has the steps. ${SETTINGS}`,
  )
  .summary('from the names of an earlier version of userkeys')
  .addOption(applyOption())
  .option('--move-unreadable', 'also move records that do not open, as they are')
  .addHelpText('after', examples(['npm run migrate -- tenant', 'npm run migrate -- tenant --apply']))
  .action(async (options) => {
    const { migrateTenant } = await import('./commands/migrate-tenant.ts');
    process.exitCode = await migrateTenant(options);
  });

program
  .command('legacy-scan')
  .description(
    'List where code reads a provider’s variable from the environment, or shares a client, a result or a queue ' +
      'between requests. docs/legacy.md says what to do about each.',
  )
  .summary('list code that reads provider keys from the environment')
  .argument('[path...]', 'files or directories (default: the current directory)', parsePath)
  .option('--json', 'print JSON')
  .option('--fail', 'exit with 1 when anything is found')
  .addHelpText('after', examples(['npm run legacy:scan -- ../my-app', 'npm run legacy:scan -- src --fail']))
  .action(async (paths, options) => {
    const { legacyScan } = await import('./commands/legacy-scan.ts');
    process.exitCode = legacyScan({ paths: paths?.length ? paths : ['.'], ...options });
  });

await runCommandLine(program);

function devOptions({ port, data }: { readonly port: number; readonly data: string }): DevOptions {
  const directory = process.cwd();
  return { root: projectRoot(), directory, dataDirectory: resolve(directory, data), port };
}

/** Where `api/` and `vercel.json` are. */
function projectRoot(): string {
  return resolve(import.meta.dirname, '..');
}

function examples(commands: readonly string[]): string {
  return `\nExamples:\n${commands.map((command) => `  ${command}`).join('\n')}`;
}
