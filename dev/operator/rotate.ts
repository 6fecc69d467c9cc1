/** `npm run rotate`: seals every stored key under the first master key, and says which others can go. */
import { parseArgs } from 'node:util';
import { explainUsage } from '../terminal/explain-usage.ts';
import { openVault } from './open-vault.ts';
import { reinstate, retire } from './retire-command.ts';
import { rotateRecords } from './rotate-command.ts';
import { runCommand } from './run-command.ts';

const USAGE = `
  Seals every stored key anew under the first key of VAULT_KEYS, while everything is in use, and says which other
  master keys are not needed any more. Can be stopped at any point and started again. docs/rotation.md has the steps.

  npm run rotate                       seal anew, then count
  npm run rotate -- --dry-run          only count, and say what there is to do
  npm run rotate -- --retire <kid>     let nothing be sealed under that key any more, then seal anew and count
  npm run rotate -- --reinstate <kid>  take that back
`;

process.exit(await main());

async function main(): Promise<number> {
  const given = readArguments();
  if (given === undefined) return explainUsage(USAGE);
  const { 'dry-run': dryRun, retire: retired, reinstate: reinstated } = given;
  return runCommand(async () => {
    const vault = await openVault(process.cwd());
    if (reinstated !== undefined) return reinstate(vault, reinstated);
    if (retired !== undefined && !(await retire(vault, retired))) return 1;
    return rotateRecords(vault, { dryRun });
  }, 'Run this again: it goes on where it stopped.');
}

/** The command line, or undefined when it cannot be understood. */
function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        'dry-run': { type: 'boolean', default: false },
        retire: { type: 'string' },
        reinstate: { type: 'string' },
      },
    });
    const wishes = [values['dry-run'], values.retire !== undefined, values.reinstate !== undefined];
    return wishes.filter(Boolean).length > 1 ? undefined : values;
  } catch {
    return undefined;
  }
}
