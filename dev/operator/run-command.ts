import { ConfigError } from '../../lib/config.ts';
import { Problem } from '../../lib/errors.ts';
import { describeOrigin } from '../../lib/log.ts';
import { printBad } from '../terminal/print.ts';

/** Runs an operator's command and gives its exit code. What went wrong is said without any value of the settings. */
export async function runCommand(command: () => Promise<number>, onFailure: string): Promise<number> {
  try {
    return await command();
  } catch (error) {
    if (error instanceof ConfigError) printBad(`Not configured. ${error.message}`);
    else if (error instanceof Problem) printBad(`${error.message} ${onFailure}`);
    else printBad(`Unexpected: ${Object.values(describeOrigin(error)).join(' ')}`);
    return 1;
  }
}
