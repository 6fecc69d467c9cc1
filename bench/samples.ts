/** The figures of a run: one sample for each round of each contender, and ratios of samples of the same round. */

export const metrics = {
  cpuMicros: 'CPU µs a call',
  cpuMs: 'CPU ms',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  firstByteMs: 'first byte ms',
  delayP50Ms: 'delay of an event, p50 ms',
  delayP99Ms: 'delay of an event, p99 ms',
  wallMs: 'ms until the first answer',
  memoryMb: 'memory MB',
  redisCpuMicros: 'CPU µs of redis-server a call',
  redisCpuMicrosPerKey: 'CPU µs of redis-server a key',
} as const;
export type Metric = keyof typeof metrics;

export type Sample = {
  readonly scenario: string;
  readonly contender: string;
  readonly round: number;
  readonly figures: { readonly [metric in Metric]?: number };
};

/** A median with the lowest and the highest of the rounds. */
export type Spread = { readonly median: number; readonly lowest: number; readonly highest: number };

function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [lowest, highest] = [sorted[0], sorted.at(-1)];
  if (lowest === undefined || highest === undefined) return undefined;
  return { median: percentile(sorted, 0.5), lowest, highest };
}

/** Of a sorted list. The median of an even number of values is the mean of the two in the middle. */
export function percentile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const [below, above] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN];
  return below + (above - below) * (at - Math.floor(at));
}

export type Place = { readonly scenario: string; readonly metric: Metric };

export function figureOf(
  samples: readonly Sample[],
  { scenario, metric }: Place,
  contender: string,
): Spread | undefined {
  return spreadOf(
    samples
      .filter((sample) => sample.scenario === scenario && sample.contender === contender)
      .flatMap(({ figures }) => figures[metric] ?? []),
  );
}

/** The ratio of two contenders, round by round: both ran within seconds of each other. */
export function ratioOf(
  samples: readonly Sample[],
  { scenario, metric }: Place,
  [contender, reference]: readonly [string, string],
): Spread | undefined {
  const inScenario = samples.filter((sample) => sample.scenario === scenario);
  return spreadOf(
    inScenario.flatMap((sample) => {
      if (sample.contender !== contender) return [];
      const other = inScenario.find(
        ({ contender: name, round }) => name === reference && round === sample.round,
      );
      const [value, base] = [sample.figures[metric], other?.figures[metric]];
      return value === undefined || base === undefined || base === 0 ? [] : [value / base];
    }),
  );
}
