/** Dumps everything in a store as text, so that a test can search it for a user's data. */
import { createClient } from '@vercel/kv';

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
