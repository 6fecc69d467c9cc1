import type { Ask } from './kv.ts';

/** Every field of a hash with its text, in no particular order; none when there is no such hash. */
export function readFields(key: string): Ask<ReadonlyMap<string, string>> {
  return {
    commands: 1,
    add(batch) {
      batch.hgetall(key);
    },
    read([fields]) {
      const flat: readonly unknown[] = Array.isArray(fields) ? fields : [];
      return new Map(
        flat.flatMap((field, index) => (index % 2 === 0 ? [[String(field), String(flat[index + 1])]] : [])),
      );
    },
  };
}
