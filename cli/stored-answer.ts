import type { z } from 'zod';
import { Problem } from '../lib/errors.ts';
import { log } from '../lib/log.ts';

/**
 * An answer of the key store, parsed. An unexpected shape must never be taken for "nothing is stored".
 *
 * @throws Problem `store_unavailable` for an answer of another shape; the log says so.
 */
export function parseStored<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  log({ level: 'error', event: 'kv_failed', reason: 'answer of an unexpected shape' });
  throw new Problem('store_unavailable');
}
