/** Every stored record of every user, found a page at a time and never all in memory. */
import { z } from 'zod';
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import { LEGACY_PREFIX, ownerKeyPattern, ownerOfKey } from '../kv/key-names.ts';
import type { Kv } from '../kv/kv.ts';
import { count, fieldsOfHash, type Query, query } from '../kv/query.ts';
import { ROTATION_SCAN_COUNT } from '../limits.ts';
import { findProvider, type ProviderId } from '../providers/catalogue.ts';
import { kidOf } from '../vault/envelope.ts';
import { type KeyRecord, parseStoredRecord } from '../vault/key-record.ts';
import { RECORDS_KIND, recordsKey } from '../vault/records.ts';

/** The cursor with which a scan starts, and with which it says that it has ended. */
export const SCAN_START = '0';

export type FoundRecord = {
  readonly user: UserId;
  /** Undefined for a field that no provider of this catalogue has. */
  readonly provider: ProviderId | undefined;
  /** The exact text, for compare-and-set. */
  readonly text: string;
  readonly record: KeyRecord | undefined;
  /** The master key that the envelope names; undefined when the record is damaged. */
  readonly kid: string | undefined;
};

/** The next cursor, and the keys of the page. */
const scanAnswer = z.tuple([z.string().regex(/^\d{1,20}$/), z.array(z.string())]);

/** One page of users with records, and the cursor of the next. A user can come twice; no user who stays is missed. */
export function scanUsers(
  cursor: string,
): Query<{ readonly cursor: string; readonly users: readonly UserId[] }> {
  return query(
    (pipeline) =>
      pipeline.scan(cursor, {
        match: ownerKeyPattern(RECORDS_KIND),
        count: ROTATION_SCAN_COUNT,
        type: 'hash',
      }),
    z.tuple([scanAnswer]).transform(([[next, keys]]) => {
      const users = keys.flatMap((key) => ownerOfKey(key, RECORDS_KIND) ?? []);
      return { cursor: next, users: [...new Set(users)] };
    }),
  );
}

/** Records with a name of an earlier version. They are not rotated, so they must not be missed in a count. */
export async function assertNoLegacyRecords(kv: Kv): Promise<void> {
  let cursor = SCAN_START;
  do {
    const page = await kv.run(scanLegacyRecords(cursor));
    if (page.found > 0) throw new Problem('store_outdated');
    cursor = page.cursor;
  } while (cursor !== SCAN_START);
}

function scanLegacyRecords(cursor: string): Query<{ readonly cursor: string; readonly found: number }> {
  const match = `${LEGACY_PREFIX}${RECORDS_KIND}:*`;
  return query(
    (pipeline) => pipeline.scan(cursor, { match, count: ROTATION_SCAN_COUNT, type: 'hash' }),
    z.tuple([scanAnswer]).transform(([[next, keys]]) => ({ cursor: next, found: keys.length })),
  );
}

export function readRecordsOf(users: readonly UserId[]): Query<readonly FoundRecord[]> {
  return query(
    (pipeline) => {
      for (const user of users) pipeline.hgetall(recordsKey(user));
    },
    z
      .array(fieldsOfHash)
      .length(users.length)
      .transform((hashes) =>
        users.flatMap((user, index) =>
          [...(hashes[index] ?? [])].map(([field, text]) => toFoundRecord(user, field, text)),
        ),
      ),
  );
}

/** How many of these users have a hash of records. */
export function countStoredHashes(users: readonly UserId[]): Query<number> {
  return query(
    (pipeline) => pipeline.exists(...users.map(recordsKey)),
    z.tuple([count]).transform(([stored]) => stored),
  );
}

function toFoundRecord(user: UserId, field: string, stored: string): FoundRecord {
  const { text, record } = parseStoredRecord(stored);
  return { user, provider: findProvider(field)?.id, text, record, kid: record && kidOf(record.jwe) };
}
