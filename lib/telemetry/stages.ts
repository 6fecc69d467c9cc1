/** Where the time of one call went. Two readings of a clock a stage. */

/** `verify` the token, ask `kv`, `open` the key, wait for the `provider`'s answer to begin. */
type Stage = 'verify' | 'kv' | 'open' | 'provider';

export type StageTime = { readonly stage: Stage; readonly startMs: number; readonly durationMs: number };

export type Stages = {
  /** Runs the work and notes how long it took, whether it succeeds or not. */
  time<T>(stage: Stage, work: () => Promise<T>): Promise<T>;
  /** What has been timed, in order of ending. `startMs` counts from when the stages were begun. */
  list(): readonly StageTime[];
  /** Milliseconds since the stages were begun. */
  elapsedMs(): number;
};

export function beginStages(): Stages {
  const begun = performance.now();
  const times: StageTime[] = [];
  return {
    async time(stage, work) {
      const started = performance.now();
      try {
        return await work();
      } finally {
        times.push({ stage, startMs: started - begun, durationMs: performance.now() - started });
      }
    },
    list: () => times,
    elapsedMs: () => performance.now() - begun,
  };
}

/** As a `Server-Timing` header field (W3C Server Timing): `verify;dur=0.4, kv;dur=1.2`. Empty: nothing timed. */
export function serverTiming(times: readonly StageTime[]): string {
  return times.map(({ stage, durationMs }) => `${stage};dur=${durationMs.toFixed(1)}`).join(', ');
}
