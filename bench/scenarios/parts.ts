/** What each part of a call costs, in the gateway and in the job written by hand. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import { endChild } from '../processes.ts';
import type { Sample } from '../samples.ts';
import type { Fixtures } from '../start-fixtures.ts';

/** What the names of these scenarios begin with. */
export const PART = 'part: ';

const sent = z.array(
  z.object({ part: z.string(), who: z.string(), round: z.int(), cpuMicros: z.number().nonnegative() }),
);

export async function measureParts({ env, tokens }: Fixtures, rounds: number): Promise<readonly Sample[]> {
  const program = new URL('../targets/parts.ts', import.meta.url);
  const child = fork(program, [String(rounds), tokens.join(',')], {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    execArgv: [],
  });
  try {
    const [message] = await Promise.race([once(child, 'message'), failed(once(child, 'exit'))]);
    return sent.parse(message).map(({ part, who, round, cpuMicros }) => ({
      scenario: PART + part,
      contender: who,
      round,
      figures: { cpuMicros },
    }));
  } finally {
    await endChild(child);
  }
}

async function failed(exit: Promise<unknown>): Promise<never> {
  await exit;
  throw new Error('The parts were not measured.');
}
