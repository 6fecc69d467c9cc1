/** The ratios that this project has set itself. Each is a median over the rounds of one run. */
import { type Metric, metrics, ratioOf, type Sample, type Spread } from './samples.ts';

type Goal = {
  readonly scenario: string;
  readonly metric: Metric;
  readonly of: string;
  readonly to: string;
  readonly most: number;
};

/** The gateway may take 80 ms of CPU to import on a machine where jose takes 33. */
const IMPORT_RATIO = 80 / 33;

const goals: readonly Goal[] = [
  { scenario: 'JSON, 32 callers', metric: 'cpuMicros', of: 'userkeys', to: 'Portkey', most: 0.65 },
  { scenario: 'JSON, 32 callers', metric: 'cpuMicros', of: 'userkeys', to: 'bare, fetch', most: 1.6 },
  { scenario: 'JSON, 1 caller', metric: 'p50Ms', of: 'userkeys', to: 'Portkey', most: 1.2 },
  {
    scenario: 'burst of 100 events, 32 callers',
    metric: 'cpuMicros',
    of: 'userkeys',
    to: 'bare, fetch',
    most: 1.25,
  },
  {
    scenario: 'burst of 100 events, 32 callers',
    metric: 'cpuMicros',
    of: 'userkeys',
    to: 'Portkey',
    most: 1.15,
  },
  {
    scenario: 'an event every 5 ms, 32 callers',
    metric: 'delayP99Ms',
    of: 'userkeys',
    to: 'bare, fetch',
    most: 1.5,
  },
  { scenario: 'start to first answer', metric: 'cpuMs', of: 'userkeys', to: 'Portkey', most: 0.6 },
  { scenario: 'import', metric: 'cpuMs', of: 'gateway function', to: 'jose', most: IMPORT_RATIO },
  { scenario: 'growth: a gateway call', metric: 'p50Ms', of: '1,000,000 users', to: '100 users', most: 1.1 },
  {
    scenario: 'memory',
    metric: 'memoryMb',
    of: 'userkeys, 100,000 calls',
    to: 'userkeys, 10,000 calls',
    most: 1.1,
  },
];

export type Result = Goal & { readonly ratio: Spread; readonly isMet: boolean };

/** The goals that this run measured. */
export function checkGoals(samples: readonly Sample[]): readonly Result[] {
  return goals.flatMap((goal) => {
    const ratio = ratioOf(samples, goal, [goal.of, goal.to]);
    return ratio === undefined ? [] : [{ ...goal, ratio, isMet: ratio.median <= goal.most }];
  });
}

export function describeGoal({ scenario, metric, of, to }: Goal): string {
  return `${scenario}: ${metrics[metric]}, ${of} to ${to}`;
}
