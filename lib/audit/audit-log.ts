/**
 * A user's audit log in KV: a stream whose entries are added and never changed, bounded in length and age.
 * docs/storage-schema.md describes it.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import type { UserData } from '../kv/erasure.ts';
import { type Query, query, type Script } from '../kv/query.ts';
import { DAY_MS, MAX_AUDIT_ENTRIES } from '../limits.ts';
import { type AuditEntry, auditEntry, auditFields } from './audit-entry.ts';

export type AuditBounds = {
  /** The newest so many entries are kept. */
  readonly maxEntries: number;
  readonly maxAgeDays: number;
};

const auditKey = (user: UserId) => `userkeys:audit:${user}`;

/** Adds entries, at least one, and removes those beyond the bounds. `now`: about the time of the write. */
export function appendAudit(
  user: UserId,
  entries: readonly AuditEntry[],
  { maxEntries, maxAgeDays }: AuditBounds,
  now: Date,
): Script {
  const maxAgeMs = maxAgeDays * DAY_MS;
  const oldest = Math.max(0, now.getTime() - maxAgeMs);
  const words = entries.flatMap((entry) => auditFields.flatMap((name) => [name, String(entry[name] ?? '')]));
  return {
    source: APPEND,
    keys: [auditKey(user)],
    args: [String(maxEntries), String(oldest), String(maxAgeMs), ...words],
  };
}

const WORDS_PER_ENTRY = 2 * auditFields.length;

const APPEND = `
local stream = KEYS[1]
local maxEntries, oldestId, maxAgeMs = ARGV[1], ARGV[2], ARGV[3]
for i = 4, #ARGV, ${WORDS_PER_ENTRY} do
  redis.call('XADD', stream, 'MAXLEN', maxEntries, '*', unpack(ARGV, i, i + ${WORDS_PER_ENTRY} - 1))
end
redis.call('XTRIM', stream, 'MINID', oldestId)
redis.call('PEXPIRE', stream, maxAgeMs)
return 1`;

/** A place in the log; the entries after it are older. */
export const auditCursor = z
  .string()
  .regex(/^\d{1,15}-\d{1,10}$/, 'must be a cursor that this address returned');

export type AuditPage = {
  /** Newest first. */
  readonly entries: readonly AuditEntry[];
  /** For the next, older page; undefined at the end. */
  readonly nextCursor: string | undefined;
};

/** One page of at most `limit` entries. An entry of another form, such as a newer deployment's, is left out. */
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
        entries: stored.flatMap(({ fields }) => auditEntry.safeParse(fields).data ?? []),
        nextCursor: stored.length < page.limit ? undefined : stored.at(-1)?.id,
      }),
    ),
  );
}

/** An id, and the names and values of the fields in turn. An empty value stands for null. */
const storedEntry = z.tuple([z.string(), z.array(z.string())]).transform(([id, words]) => {
  const pairs = words.flatMap((name, index) =>
    index % 2 === 0 ? [[name, words[index + 1] || null] as const] : [],
  );
  return { id, fields: Object.fromEntries(pairs) };
});

/** Every entry that is stored, whatever its age. */
export const auditData: UserData = {
  name: 'audit',
  kvKeys: (user) => [auditKey(user)],
  read: (user) =>
    query(
      (pipeline) => pipeline.xrevrange(auditKey(user), '+', '-', MAX_AUDIT_ENTRIES),
      z
        .tuple([z.array(storedEntry)])
        .transform(([stored]) => stored.flatMap(({ fields }) => auditEntry.safeParse(fields).data ?? [])),
    ),
};
