/** `npm run account`: what is stored about one user, and erasing it, for an operator who was asked to. */
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { eraseUser } from '../../lib/account/account-data.ts';
import { exportUser } from '../../lib/account/account-data.ts';
import { isUserId, type UserId } from '../../lib/identity/user-id.ts';
import { explainUsage } from '../terminal/explain-usage.ts';
import { print, printBad, printGood } from '../terminal/print.ts';
import { countStored } from './count-stored.ts';
import { findTraces } from './find-traces.ts';
import { openVault, type Vault } from './open-vault.ts';
import { runCommand } from './run-command.ts';

const USAGE = `
  npm run --silent account -- export --user <sub>         everything stored about a user but the keys, as JSON
  npm run account -- erase --user <sub> [--yes]           erases every trace of a user
`;

process.exit(await main());

async function main(): Promise<number> {
  const given = readArguments();
  if (given === undefined) return explainUsage(USAGE);
  const { user, command, yes } = given;
  return runCommand(async () => {
    const vault = await openVault(process.cwd());
    if (command === 'erase') return erase(vault, user, yes);
    process.stdout.write(`${JSON.stringify(await exportUser(vault.kv, user, vault.clock()), null, 2)}\n`);
    return 0;
  }, 'Run this again.');
}

async function erase({ kv, clock, storeHost }: Vault, user: UserId, yes: boolean): Promise<number> {
  if (!yes && !(await confirm(user, storeHost))) {
    printBad('Nothing was erased.');
    return 1;
  }
  const stored = await kv.run(countStored(user, clock()));
  // Also where nothing is stored: a save that is under way writes nothing then.
  await eraseUser(kv, user, clock());
  const traces = await findTraces(kv, user);
  if (traces.length > 0) {
    printBad(`Erased, and these are there again or were not known: ${traces.join(', ')}`);
    return 1;
  }
  if (stored === 0) {
    print(
      `Nothing was stored for this id on ${storeHost}. It has to be the sub of the user’s session token.`,
    );
    return 0;
  }
  printGood(`Every trace is erased from ${storeHost}; no KV key names the user.`);
  return 0;
}

/** Asks for the user's id once more. Without a terminal nobody can answer, so that is a no. */
async function confirm(user: UserId, storeHost: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    printBad('Without a terminal to ask on, say --yes.');
    return false;
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await prompt.question(`  Type the user's id to erase it from ${storeHost}: `)) === user;
  } finally {
    prompt.close();
  }
}

/** The command line, or undefined when it cannot be understood. */
function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { user: { type: 'string' }, yes: { type: 'boolean', default: false } },
    });
    const [command, ...others] = positionals;
    const { user, yes } = values;
    if (!isUserId(user) || others.length > 0 || (command !== 'export' && command !== 'erase'))
      return undefined;
    return { command, user, yes };
  } catch {
    return undefined;
  }
}
