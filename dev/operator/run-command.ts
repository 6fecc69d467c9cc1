import { ConfigError, Problem } from '../../lib/errors.ts';
import { describeOrigin } from '../../lib/log.ts';
import { ENV_FILES } from '../settings/configuration.ts';
import { holdLogs } from '../terminal/hold-logs.ts';
import { print, printBad } from '../terminal/print.ts';

/** Runs an operator's command and gives its exit code. What went wrong is said without any value of the settings. */
export async function runCommand(command: () => Promise<number>, onFailure: string): Promise<number> {
  const lastLog = holdLogs();
  try {
    return await command();
  } catch (error) {
    if (error instanceof ConfigError) {
      printBad(`Not configured. ${error.message}.`);
      print(`Looked in the environment, and for ${ENV_FILES.join(' and ')} in ${process.cwd()}.`);
    } else if (error instanceof Problem) {
      printBad(`${error.message} ${onFailure}`);
      const reason = lastLog();
      if (reason !== undefined) print(reason);
    } else printBad(`Unexpected: ${Object.values(describeOrigin(error)).join(' ')}`);
    return 1;
  }
}
