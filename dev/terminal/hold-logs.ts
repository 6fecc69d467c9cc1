import { describeLine } from './describe-event.ts';

/**
 * From now on the log lines of `lib/`, one JSON object each for who reads a deployment's log, are not printed: a
 * command says in a sentence of its own what went wrong. The function it returns gives the last one as text, for
 * the reason that stands in it alone.
 */
export function holdLogs(): () => string | undefined {
  let last: string | undefined;
  console.error = (line: unknown) => {
    last = String(line);
  };
  return () => (last === undefined ? undefined : describeLine(last));
}
