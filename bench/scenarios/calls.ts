/** JSON answers, and streams in a burst and at a pace. */
import { type Kind, runCalls } from '../callers.ts';
import type { Running } from '../contenders.ts';
import { cpuMicros, residentMegabytes } from '../processes.ts';
import { percentile, type Sample } from '../samples.ts';

export type CallScenario = {
  readonly name: string;
  readonly kind: Kind;
  readonly callers: number;
  /** In one round of one target. */
  readonly calls: number;
  /** Before the first round, so that the code is compiled and the connections are open. */
  readonly warmUpCalls: number;
};

/** Runs the rounds. In each of them every target has its turn; the one that begins changes. */
export async function measureCalls(
  running: readonly Running[],
  scenario: CallScenario,
  rounds: number,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const { callers, kind, calls, warmUpCalls } = scenario;
  for (const { destination } of running) {
    // Alone, because a cold process on a busy machine may take longer than its own deadlines for many at once.
    await runCalls(destination, kind, { callers: 1, calls: 1 });
    await runCalls(destination, kind, { callers, calls: warmUpCalls });
  }
  for (let round = 0; round < rounds; round += 1) {
    const first = round % running.length;
    for (const contender of [...running.slice(first), ...running.slice(0, first)]) {
      samples.push({ ...(await measureRound(contender, scenario)), round });
    }
  }
  const order = running.map(({ name }) => name as string);
  return samples.toSorted((a, b) => order.indexOf(a.contender) - order.indexOf(b.contender));

  async function measureRound({ name, target, destination }: Running, { name: title }: CallScenario) {
    const before = target && cpuMicros(target.pid);
    const { total, firstByte, delays } = await runCalls(destination, kind, { callers, calls });
    const after = target && cpuMicros(target.pid);
    for (const list of [total, firstByte, delays]) list.sort((a, b) => a - b);
    const cpu = before === undefined || after === undefined ? {} : { cpuMicros: (after - before) / calls };
    const memory = target ? { memoryMb: residentMegabytes(target.pid) } : {};
    const delay = { delayP50Ms: percentile(delays, 0.5), delayP99Ms: percentile(delays, 0.99) };
    const times = {
      p50Ms: percentile(total, 0.5),
      p99Ms: percentile(total, 0.99),
      firstByteMs: percentile(firstByte, 0.5),
    };
    return {
      scenario: title,
      contender: name,
      figures: { ...cpu, ...(kind === 'paced' ? delay : times), ...memory },
    };
  }
}
