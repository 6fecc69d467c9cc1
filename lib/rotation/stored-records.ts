/** Every stored record of every user, found a page at a time and never held all at once. */
import { isUserId, type UserId } from '../identity/user-id.ts';
import { askAll } from '../kv/ask-all.ts';
import type { Ask } from '../kv/kv.ts';
import { findProvider, type ProviderId } from '../providers/catalogue.ts';
import { RECORDS_PREFIX } from '../vault/bundle.ts';
import { kidOf } from '../vault/envelope.ts';
import { type KeyRecord, readStoredRecord } from '../vault/key-record.ts';

/** How many keys of any kind KV looks at for one page. */
const SCAN_COUNT = 500;
/** Where a scan begins, and where it says that it has ended. */
export const SCAN_START = '0';

export type FoundRecord = {
  readonly user: UserId;
  /** Undefined for a field that no provider of this catalogue has. */
  readonly provider: ProviderId | undefined;
  /** The very text, for compare-and-set. */
  readonly text: string;
  readonly record: KeyRecord | undefined;
  /** The master key the envelope names; undefined when the record is damaged. */
  readonly kid: string | undefined;
};

/** One page of users with records, and the cursor of the next. A user can come twice; one who stays is not missed. */
export function scanUsers(
  cursor: string,
): Ask<{ readonly cursor: string; readonly users: readonly UserId[] }> {
  return {
    commands: 1,
    add(batch) {
      batch.scan(cursor, { match: `${RECORDS_PREFIX}*`, count: SCAN_COUNT, type: 'hash' });
    },
    read([page]) {
      const [next, keys]: readonly unknown[] = Array.isArray(page) ? page : [];
      const names = Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [];
      const users = names.map((key) => key.slice(RECORDS_PREFIX.length)).filter(isUserId);
      return { cursor: String(next), users: [...new Set(users)] };
    },
  };
}

export function readRecordsOf(users: readonly UserId[]): Ask<readonly FoundRecord[]> {
  const all = askAll(users.map(readRecords));
  return { ...all, read: (results) => all.read(results).flat() };
}

function readRecords(user: UserId): Ask<readonly FoundRecord[]> {
  return {
    commands: 1,
    add(batch) {
      batch.hgetall(RECORDS_PREFIX + user);
    },
    read([fields]) {
      const flat: readonly unknown[] = Array.isArray(fields) ? fields : [];
      return flat.flatMap((field, index) => {
        if (index % 2 === 1) return [];
        const stored = readStoredRecord(flat[index + 1]);
        if (stored === undefined) return [];
        const kid = stored.record && kidOf(stored.record.jwe);
        return [{ user, provider: findProvider(String(field))?.id, ...stored, kid }];
      });
    },
  };
}
