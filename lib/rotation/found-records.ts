/** Every stored record of every user, found a page at a time and never held all at once. */
import { isUserId, type UserId } from '../identity/user-id.ts';
import { askAll } from '../kv/ask-all.ts';
import type { Ask } from '../kv/kv.ts';
import { readFields } from '../kv/read-fields.ts';
import { findProvider, type ProviderId } from '../providers/catalogue.ts';
import { RECORDS_PREFIX } from '../vault/records.ts';
import { kidOf } from '../vault/envelope.ts';
import { type KeyRecord, parseStoredRecord } from '../vault/key-record.ts';

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
  const { read, ...ask } = readFields(RECORDS_PREFIX + user);
  return {
    ...ask,
    read: (results) =>
      [...read(results)].map(([field, value]) => {
        const { text, record } = parseStoredRecord(value);
        return { user, provider: findProvider(field)?.id, text, record, kid: record && kidOf(record.jwe) };
      }),
  };
}
