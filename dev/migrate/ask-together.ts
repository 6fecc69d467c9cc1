import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../../lib/errors.ts';
import type { Ask, Kv } from '../../lib/kv/kv.ts';

const TRIES = 4;
const FIRST_PAUSE_MS = 250;

/**
 * Many questions in one KV request, tried again when KV does not answer: they must do no harm when asked
 * twice.
 *
 * @throws Problem `store_unavailable` when KV did not answer any try.
 */
export async function askTogether<T>(kv: Kv, questions: readonly Ask<T>[]): Promise<readonly T[]> {
  if (questions.length === 0) return [];
  for (let tries = 1; ; tries += 1) {
    try {
      return await kv.run(combine(questions));
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'store_unavailable' || tries === TRIES) throw error;
      await delay(FIRST_PAUSE_MS * 2 ** tries);
    }
  }
}

function combine<T>(questions: readonly Ask<T>[]): Ask<readonly T[]> {
  return {
    commands: questions.reduce((sum, { commands }) => sum + commands, 0),
    add(batch) {
      for (const question of questions) question.add(batch);
    },
    read(results) {
      let next = 0;
      return questions.map(({ commands, read }) => {
        const first = next;
        next += commands;
        return read(results.slice(first, next));
      });
    },
  };
}
