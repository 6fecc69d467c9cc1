import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../../lib/errors.ts';
import { askAll } from '../../lib/kv/ask-all.ts';
import type { Ask, Kv } from '../../lib/kv/kv.ts';

const MAX_TRIES = 4;
const FIRST_PAUSE_MS = 250;

/**
 * Sends many queries in one KV request, and sends them again when KV does not answer. They must therefore be safe
 * to run twice.
 *
 * @throws Problem `store_unavailable` when KV answered no try.
 */
export async function askWithRetries<T>(kv: Kv, queries: readonly Ask<T>[]): Promise<readonly T[]> {
  if (queries.length === 0) return [];
  for (let tries = 1; ; tries += 1) {
    try {
      return await kv.ask(askAll(queries));
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'store_unavailable' || tries === MAX_TRIES)
        throw error;
      await delay(FIRST_PAUSE_MS * 2 ** tries);
    }
  }
}
