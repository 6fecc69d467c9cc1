import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../../lib/errors.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { combineQueries, type Query } from '../../lib/kv/query.ts';

const MAX_TRIES = 4;
const FIRST_PAUSE_MS = 250;

/**
 * Sends many queries in one KV request, and sends them again when KV does not answer. They must therefore be safe
 * to run twice.
 *
 * @throws Problem `store_unavailable` when KV answered no try.
 */
export async function runWithRetries<T>(kv: Kv, queries: readonly Query<T>[]): Promise<readonly T[]> {
  if (queries.length === 0) return [];
  for (let tries = 1; ; tries += 1) {
    try {
      return await kv.run(combineQueries(...queries));
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'store_unavailable' || tries === MAX_TRIES)
        throw error;
      await delay(FIRST_PAUSE_MS * 2 ** tries);
    }
  }
}
