/** Dumps everything in a store as text, so that a test can search it for a user's data. */
import { createClient } from '@vercel/kv';
import { expect } from 'vitest';
import { callStart } from '../../lib/kv/erasure.ts';
import { ERASURE_MARK_LIFETIME_SECONDS } from '../../lib/limits.ts';
import { userId } from '../support/user-ids.ts';

/** Every key of the store with its content: fields, values, members, entries. */
export async function dumpStore(at: { readonly url: string; readonly token: string }): Promise<string[]> {
  const store = createClient({ ...at, automaticDeserialization: false });
  const lines: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await store.scan(cursor, { count: 500 });
    cursor = String(next);
    for (const key of keys) lines.push(`${key} ${JSON.stringify(await contentOf(store, key))}`);
  } while (cursor !== '0');
  return lines;
}

/**
 * What the store has about a user, without the mark of their erasure. The mark holds nothing but when and how often, and
 * must expire within 15 minutes.
 */
export async function findTraces(
  at: { readonly url: string; readonly token: string },
  sub: string,
): Promise<string[]> {
  const { markKey } = callStart(userId(sub), new Date());
  const lines = (await dumpStore(at)).filter((line) => line.includes(sub) || line.includes(userId(sub)));
  const marks = lines.filter((line) => line.startsWith(`${markKey} `));
  for (const mark of marks) {
    expect(mark.slice(markKey.length + 1)).toMatch(/^\["at","\d+","times","\d+"\]$/);
    const lifetimeSeconds = await createClient(at).ttl(markKey);
    expect(lifetimeSeconds).toBeGreaterThan(0);
    expect(lifetimeSeconds).toBeLessThanOrEqual(ERASURE_MARK_LIFETIME_SECONDS);
  }
  return lines.filter((line) => !marks.includes(line));
}

async function contentOf(store: ReturnType<typeof createClient>, key: string): Promise<unknown> {
  const type: string = await store.type(key);
  switch (type) {
    case 'string':
      return store.get(key);
    case 'hash':
      return store.hgetall(key);
    case 'set':
      return store.smembers(key);
    case 'list':
      return store.lrange(key, 0, -1);
    case 'zset':
      return store.zrange(key, 0, -1, { withScores: true });
    case 'stream':
      return store.xrange(key, '-', '+');
    default:
      throw new Error(`No way to read a ${type}`);
  }
}
