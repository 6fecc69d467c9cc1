/** What all commands that work on a deployment do when they fail: one sentence, no secret, exit code 1. */
import { ENV_FILES } from '../dev/settings/configuration.ts';
import { ConfigError, Problem } from '../lib/errors.ts';
import { describeOrigin } from '../lib/log.ts';
import { EXIT } from './exit-codes.ts';
import { describeLine } from './terminal/describe-event.ts';
import { printError } from './terminal/print.ts';

export type FailureText = {
  /** Where the settings were looked for. Default: the environment, `.env.local` and `.env`. */
  readonly settingsFrom?: string;
  /** A sentence for an error that is not about the settings. Default: `describeFailure`. */
  readonly describe?: (error: unknown) => string;
};

/**
 * Runs a command and returns its exit code. A failure is one line, then the reason that `lib/` logged, if any.
 * Nothing that is printed contains a setting's value or the message of an unexpected error, which may quote one.
 */
export async function runOperatorCommand(
  command: (lastLog: () => string | undefined) => Promise<number>,
  { settingsFrom, describe = describeFailure }: FailureText = {},
): Promise<number> {
  const lastLog = captureLogs();
  try {
    return await command(lastLog);
  } catch (error) {
    if (error instanceof ConfigError) {
      const from = settingsFrom ?? `the environment, and for ${ENV_FILES.join(' and ')} in ${process.cwd()}`;
      printError(`Not configured. ${error.message}.`, `Looked in ${from}.`);
    } else {
      const reason = lastLog();
      printError(describe(error), ...(reason === undefined ? [] : [reason]));
    }
    return EXIT.failed;
  }
}

function describeFailure(error: unknown): string {
  if (error instanceof Problem) return `${error.message} Run this again.`;
  return `Unexpected error: ${Object.values(describeOrigin(error)).join(' ')}`;
}

/**
 * Stops `lib/` from printing its log lines, which are JSON for a deployment's log. Returns a function that gives the
 * last one as text: it has the reason for a failure.
 */
function captureLogs(): () => string | undefined {
  let last: string | undefined;
  console.error = (line: unknown) => {
    last = String(line);
  };
  return () => (last === undefined ? undefined : describeLine(last));
}
