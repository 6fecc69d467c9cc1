/** Finds the users whose data has the names of versions before the tenant: `userkeys:<kind>:<sub>`. */
import { z } from 'zod';
import { isSubject } from '../../lib/identity/user-id.ts';
import { LEGACY_PREFIX } from '../../lib/kv/key-names.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { type Query, query } from '../../lib/kv/query.ts';

const SCAN_COUNT = 1_000;
const SCAN_START = '0';

/** Every kind of those versions that has to be kept. Counters of calls end by themselves after two minutes. */
const NAME = /^userkeys:(?:keys|used|onboarding|guards|spent|audit|usage:\d{4}-\d{2}):(.*)$/;

/**
 * The `sub` of everybody who has such data, each once. They are all in memory: a hundred bytes or so each.
 *
 * @throws Problem `store_unavailable`.
 */
export async function findLegacyUsers(
  kv: Kv,
  onProgress: (found: number) => void,
): Promise<readonly string[]> {
  const subs = new Set<string>();
  let cursor = SCAN_START;
  do {
    const [[next, keys]] = await kv.run(scanPage(cursor));
    for (const key of keys) {
      const sub = NAME.exec(key)?.[1];
      if (isSubject(sub)) subs.add(sub);
    }
    onProgress(subs.size);
    cursor = next;
  } while (cursor !== SCAN_START);
  return [...subs];
}

/** The next cursor, and the keys of the page. */
const scanAnswer = z.tuple([z.tuple([z.string().regex(/^\d{1,20}$/), z.array(z.string())])]);

function scanPage(cursor: string): Query<z.infer<typeof scanAnswer>> {
  return query(
    (pipeline) => pipeline.scan(cursor, { match: `${LEGACY_PREFIX}*`, count: SCAN_COUNT }),
    scanAnswer,
  );
}
