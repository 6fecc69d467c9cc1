/** Logs each event as one line of JSON on standard error. Pass only fixed texts, ids and numbers, never an error message. */

export type LogEvent = {
  readonly level: 'info' | 'warn' | 'error';
  readonly event: string;
  readonly [field: string]: string | number | undefined;
};

export function log(event: LogEvent): void {
  // biome-ignore lint/suspicious/noConsole: the only place that writes to the console; Vercel collects this output
  console.error(JSON.stringify({ time: new Date().toISOString(), ...event }));
}

/**
 * Where an unexpected error came from: its class and stack frames. The message is left out, because it may contain
 * the value that failed.
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
