/** One line of JSON an event, to standard error. It takes fixed texts, ids and numbers; never a message of an error. */

export type LogEvent = {
  readonly level: 'info' | 'warn' | 'error';
  readonly event: string;
  readonly [field: string]: string | number | undefined;
};

export function log(event: LogEvent): void {
  // biome-ignore lint/suspicious/noConsole: the one place that writes; Vercel collects what functions print
  console.error(JSON.stringify({ time: new Date().toISOString(), ...event }));
}

/**
 * Where an unexpected error came from: its class and its stack frames, without its message, which may quote
 * what failed.
 */
export function describeOrigin(error: unknown): { readonly error: string; readonly frames: string } {
  if (!(error instanceof Error)) return { error: typeof error, frames: '' };
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    error: error.constructor.name,
    frames: frames
      .slice(0, 8)
      .map((line) => line.trim())
      .join(' < '),
  };
}
