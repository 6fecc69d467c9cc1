/** Measures how long each stage of a call takes. Costs two clock readings for each stage. */

/** `verify`: the token. `kv`: the KV request. `open`: opening the key. `provider`: until its response headers arrive. */
type Stage = 'verify' | 'kv' | 'open' | 'provider';

export type StageTime = { readonly stage: Stage; readonly startMs: number; readonly durationMs: number };

export type Stages = {
  /** Runs the work and records its duration, whether it succeeds or fails. */
  time<T>(stage: Stage, work: () => Promise<T>): Promise<T>;
  /** The measured stages, in the order in which they ended. `startMs` counts from the start of the call. */
  list(): readonly StageTime[];
  /** Milliseconds since the start of the call. */
  elapsedMs(): number;
};

export function startStages(): Stages {
  const startedAt = performance.now();
  const times: StageTime[] = [];
  return {
    async time(stage, work) {
      const stageStartedAt = performance.now();
      try {
        return await work();
      } finally {
        times.push({
          stage,
          startMs: stageStartedAt - startedAt,
          durationMs: performance.now() - stageStartedAt,
        });
      }
    },
    list: () => times,
    elapsedMs: () => performance.now() - startedAt,
  };
}

/** Formats a `Server-Timing` header (W3C Server Timing): `verify;dur=0.4, kv;dur=1.2`. Empty if no stage was measured. */
export function serverTiming(times: readonly StageTime[]): string {
  return times.map(({ stage, durationMs }) => `${stage};dur=${durationMs.toFixed(1)}`).join(', ');
}
