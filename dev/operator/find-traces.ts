import type { UserId } from '../../lib/identity/user-id.ts';
import type { Ask, Kv } from '../../lib/kv/kv.ts';

const SCAN_COUNT = 1_000;
const SCAN_START = '0';

/**
 * The KV keys that name the user: `userkeys:<kind>:<user>`, perhaps with a number or a date in between. It looks at
 * every key of the store, so it is for a terminal and not for a function.
 */
export async function findTraces(kv: Kv, user: UserId): Promise<readonly string[]> {
  const found: string[] = [];
  let cursor = SCAN_START;
  do {
    const page = await kv.run(scan(cursor));
    found.push(...page.keys.filter((key) => names(key, user)));
    cursor = page.cursor;
  } while (cursor !== SCAN_START);
  return found;
}

function names(key: string, user: UserId): boolean {
  if (!key.endsWith(`:${user}`)) return false;
  return /^userkeys:[a-z-]+(:[0-9-]+)?$/.test(key.slice(0, -user.length - 1));
}

function scan(cursor: string): Ask<{ readonly cursor: string; readonly keys: readonly string[] }> {
  return {
    commands: 1,
    add(batch) {
      batch.scan(cursor, { match: 'userkeys:*', count: SCAN_COUNT });
    },
    read([page]) {
      const [next, keys]: readonly unknown[] = Array.isArray(page) ? page : [];
      return {
        cursor: String(next),
        keys: Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [],
      };
    },
  };
}
