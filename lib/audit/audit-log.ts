/**
 * A user's audit log in KV: an append-only stream, limited in length and age.
 * docs/storage-schema.md describes it.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import type { UserData } from '../kv/erasure.ts';
import { ownerKey } from '../kv/key-names.ts';
import { type Query, query, type Script } from '../kv/query.ts';
import { DAY_MS, MAX_AUDIT_ENTRIES } from '../limits.ts';
import { type AuditEntry, auditEntry, auditFields } from './audit-entry.ts';

export type AuditBounds = {
  /** Only the newest entries are kept, at most this many. */
  readonly maxEntries: number;
  readonly maxAgeDays: number;
};

const auditKey = (user: UserId) => ownerKey(user, 'audit');

/** Appends one or more entries and removes those that exceed the bounds. `now`: approximately the time of the write. */
export function appendAudit(
  user: UserId,
  entries: readonly AuditEntry[],
  { maxEntries, maxAgeDays }: AuditBounds,
  now: Date,
): Script {
  const maxAgeMs = maxAgeDays * DAY_MS;
  const oldest = Math.max(0, now.getTime() - maxAgeMs);
  const fieldArgs = entries.flatMap((entry) =>
    auditFields.flatMap((name) => [name, String(entry[name] ?? '')]),
  );
  return {
    source: APPEND,
    keys: [auditKey(user)],
    args: [String(maxEntries), String(oldest), String(maxAgeMs), ...fieldArgs],
  };
}

const ARGS_PER_ENTRY = 2 * auditFields.length;

const APPEND = `
local stream = KEYS[1]
local maxEntries, oldestId, maxAgeMs = ARGV[1], ARGV[2], ARGV[3]
for i = 4, #ARGV, ${ARGS_PER_ENTRY} do
  redis.call('XADD', stream, 'MAXLEN', maxEntries, '*', unpack(ARGV, i, i + ${ARGS_PER_ENTRY} - 1))
end
redis.call('XTRIM', stream, 'MINID', oldestId)
redis.call('PEXPIRE', stream, maxAgeMs)
return 1`;

/** A position in the log. The next page starts with the entry that is older than it. */
export const auditCursor = z
  .string()
  .regex(/^\d{1,15}-\d{1,10}$/, 'must be a cursor that this address returned');

export type AuditPage = {
  /** Newest first. */
  readonly entries: readonly AuditEntry[];
  /** The cursor of the next, older page; undefined on the last page. */
  readonly nextCursor: string | undefined;
};

/** One page of at most `limit` entries. Entries in an unknown format, such as those of a newer deployment, are skipped. */
export function readAudit(
  user: UserId,
  page: { readonly limit: number; readonly cursor?: string | undefined },
  { maxAgeDays }: Pick<AuditBounds, 'maxAgeDays'>,
  now: Date,
): Query<AuditPage> {
  const newest = page.cursor === undefined ? '+' : `(${page.cursor}`;
  const oldest = String(Math.max(0, now.getTime() - maxAgeDays * DAY_MS));
  return query(
    (pipeline) => pipeline.xrevrange(auditKey(user), newest, oldest, page.limit),
    z.tuple([z.array(storedEntry)]).transform(
      ([stored]): AuditPage => ({
        entries: toEntries(stored),
        nextCursor: stored.length < page.limit ? undefined : stored.at(-1)?.id,
      }),
    ),
  );
}

/** An id, then field names and values alternately. An empty value means null. */
const storedEntry = z.tuple([z.string(), z.array(z.string())]).transform(([id, texts]) => {
  const pairs = texts.flatMap((name, index) =>
    index % 2 === 0 ? [[name, texts[index + 1] || null] as const] : [],
  );
  return { id, fields: Object.fromEntries(pairs) };
});

/** An entry of another form, such as a newer deployment's, is left out. */
function toEntries(stored: readonly z.infer<typeof storedEntry>[]): readonly AuditEntry[] {
  return stored.flatMap(({ fields }) => auditEntry.safeParse(fields).data ?? []);
}

/** Every stored entry, also those past their age limit. */
export const auditData: UserData = {
  name: 'audit',
  kvKeys: (user) => [auditKey(user)],
  read: (user) =>
    query(
      (pipeline) => pipeline.xrevrange(auditKey(user), '+', '-', MAX_AUDIT_ENTRIES),
      z.tuple([z.array(storedEntry)]).transform(([stored]) => toEntries(stored)),
    ),
};
