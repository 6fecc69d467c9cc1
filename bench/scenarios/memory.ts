/** Resident memory of the gateway after more and more calls, in a process of its own. */
import { runCalls } from '../callers.ts';
import { type Contender, start } from '../contenders.ts';
import { residentMegabytes } from '../processes.ts';
import type { Sample } from '../samples.ts';

const CALLERS = 32;
const COUNTS = [10_000, 100_000];

export async function measureMemory(contender: Contender, provider: string): Promise<readonly Sample[]> {
  const { name, target, destination } = await start(contender, provider);
  const samples: Sample[] = [];
  try {
    let done = 0;
    for (const count of COUNTS) {
      await runCalls(destination, 'json', { callers: CALLERS, calls: count - done });
      done = count;
      samples.push({
        scenario: 'memory',
        contender: `${name}, ${count.toLocaleString('en-US')} calls`,
        round: 0,
        figures: { memoryMb: residentMegabytes(target?.pid ?? 0) },
      });
    }
  } finally {
    await target?.end();
  }
  return samples;
}
