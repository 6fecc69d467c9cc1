/**
 * A user's audit log in KV: a stream, written to and never changed, bounded in length and age.
 * docs/storage-schema.md describes it.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import type { Ask } from '../kv/kv.ts';
import type { LateWrite } from '../kv/deferred-writes.ts';
import type { UserData } from '../kv/user-data.ts';
import { type AuditEntry, auditEntry, auditFields } from './audit-entry.ts';

export type AuditBounds = {
  /** The newest so many entries are kept. */
  readonly maxEntries: number;
  readonly maxAgeDays: number;
};

/** The most a deployment may keep of a user, so that a log can be read whole in one KV answer. */
export const MAX_AUDIT_ENTRIES = 10_000;

const auditKey = (user: UserId) => `userkeys:audit:${user}`;

const DAY_MS = 24 * 60 * 60_000;

/** Adds entries, at least one; older ones beyond the bounds go. `now`: about the time of the write. */
export function appendAudit(
  user: UserId,
  entries: readonly AuditEntry[],
  { maxEntries, maxAgeDays }: AuditBounds,
  now: Date,
): LateWrite {
  const maxAgeMs = maxAgeDays * DAY_MS;
  const oldest = Math.max(0, now.getTime() - maxAgeMs);
  const words = entries.flatMap((entry) => auditFields.flatMap((name) => [name, String(entry[name] ?? '')]));
  return {
    script: APPEND,
    keys: [auditKey(user)],
    args: [String(maxEntries), String(oldest), String(maxAgeMs), ...words],
  };
}

const APPEND = `
for i = 4, #ARGV, ${2 * auditFields.length} do
  redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[1], '*', unpack(ARGV, i, i + ${2 * auditFields.length - 1}))
end
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`;

/** A place in the log: what comes after it is older. */
export const auditCursor = z.string().regex(/^\d{1,15}-\d{1,10}$/, 'must be a cursor that this address gave');

export type AuditPage = {
  /** Newest first. */
  readonly entries: readonly AuditEntry[];
  /** For the next, older page; undefined at the end. */
  readonly nextCursor: string | undefined;
};

/** One page, of at most `limit` entries. What does not have the form of an entry is left out. */
export function readAudit(
  user: UserId,
  page: { readonly limit: number; readonly cursor?: string | undefined },
  { maxAgeDays }: Pick<AuditBounds, 'maxAgeDays'>,
  now: Date,
): Ask<AuditPage> {
  const newest = page.cursor === undefined ? '+' : `(${page.cursor}`;
  const oldest = String(Math.max(0, now.getTime() - maxAgeDays * DAY_MS));
  return {
    commands: 1,
    add(batch) {
      batch.xrevrange(auditKey(user), newest, oldest, page.limit);
    },
    read([result]) {
      const lines = readLines(result);
      return {
        entries: lines.flatMap(({ fields }) => auditEntry.safeParse(fields).data ?? []),
        nextCursor: lines.length < page.limit ? undefined : lines.at(-1)?.id,
      };
    },
  };
}

const line = z
  .tuple([z.string(), z.array(z.string())])
  .transform(([id, words]) => ({ id, fields: toFields(words) }));

function readLines(result: unknown): readonly z.infer<typeof line>[] {
  return Array.isArray(result) ? result.flatMap((item) => line.safeParse(item).data ?? []) : [];
}

/** Names and values in turn; an empty value is none. */
function toFields(words: readonly string[]): Readonly<Record<string, string | null>> {
  const pairs = words.flatMap((name, index) =>
    index % 2 === 0 ? [[name, words[index + 1] || null] as const] : [],
  );
  return Object.fromEntries(pairs);
}

export const auditData: UserData = {
  name: 'audit',
  kvKeys: (user) => [auditKey(user)],
  read(user) {
    const { read, ...ask } = readAudit(user, { limit: MAX_AUDIT_ENTRIES }, { maxAgeDays: 0 }, new Date(0));
    return { ...ask, read: (results) => read(results).entries };
  },
};
