/** Reads a user's audit log: the newest entries of its streams, merged, page by page. */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import type { UserData } from '../kv/erasure.ts';
import { combineQueries, type Query, query } from '../kv/query.ts';
import { DAY_MS, MAX_AUDIT_PAGE_ENTRIES } from '../limits.ts';
import { type AuditEntry, auditEntry } from './audit-entry.ts';
import { type AuditBounds, refusalGroupsKey, streamKeys } from './audit-log.ts';
import { moveInterruptedCalls } from './begun-calls.ts';

/**
 * A position in the log: the id of an entry and, because two streams can use the same id, the position of its stream.
 * The next page starts with the entry that comes after it.
 */
export const auditCursor = z
  .string()
  .regex(/^\d{1,15}-\d{1,10}-[0-2]$/, 'must be a cursor that this address returned');

export type AuditPage = {
  /** Newest first. */
  readonly entries: readonly AuditEntry[];
  /** The cursor of the next, older page; undefined on the last page. */
  readonly nextCursor: string | undefined;
};

type PageRequest = { readonly limit: number; readonly cursor?: string | undefined };

/**
 * One page of at most `limit` entries. Calls that have been interrupted are entered first. Entries in an unknown format, such as those of a newer deployment, are skipped.
 */
export function readAudit(user: UserId, page: PageRequest, bounds: AuditBounds, now: Date): Query<AuditPage> {
  const oldestId = String(Math.max(0, now.getTime() - bounds.maxAgeDays * DAY_MS));
  const readEntries = combineQueries(moveInterruptedCalls(user, bounds, now), readPage(user, page, oldestId));
  return (pipeline) => {
    const parse = readEntries(pipeline);
    return (answers) => parse(answers)[1];
  };
}

/** The newest entries of every stream, merged. Each stream returns enough for a whole page. */
function readPage(user: UserId, { limit, cursor }: PageRequest, oldestId: string): Query<AuditPage> {
  const streams = streamKeys.map((keyOf, position) =>
    query(
      (pipeline) => pipeline.xrevrange(keyOf(user), newestId(cursor, position), oldestId, limit),
      z
        .tuple([z.array(storedEntry)])
        .transform(([stored]) => stored.map((entry) => ({ ...entry, position }))),
    ),
  );
  const readStreams = combineQueries(...streams);
  return (pipeline) => {
    const parse = readStreams(pipeline);
    return (answers) => {
      const found = parse(answers);
      const merged = found.flat().sort(byNewest);
      const last = merged[limit - 1];
      const hasMore = merged.length > limit || found.some((stored) => stored.length === limit);
      return {
        entries: toEntries(merged.slice(0, limit)),
        nextCursor: hasMore && last !== undefined ? `${last.id}-${last.position}` : undefined,
      };
    };
  };
}

/** The newest id of a stream that comes after the cursor. Of equal ids, that of the earlier stream comes first. */
function newestId(cursor: string | undefined, position: number): string {
  if (cursor === undefined) return '+';
  const [ms, sequence, lastPosition] = cursor.split('-');
  const id = `${ms}-${sequence}`;
  return position > Number(lastPosition) ? id : `(${id}`;
}

type FoundEntry = z.infer<typeof storedEntry> & { readonly position: number };

function byNewest(a: FoundEntry, b: FoundEntry): number {
  const [[aMs = 0, aSequence = 0], [bMs = 0, bSequence = 0]] = [
    a.id.split('-').map(Number),
    b.id.split('-').map(Number),
  ];
  return bMs - aMs || bSequence - aSequence || a.position - b.position;
}

/** An id, then field names and values alternately. An empty value means null. */
const storedEntry = z.tuple([z.string(), z.array(z.string())]).transform(([id, texts]) => {
  const pairs = texts.flatMap((name, index) =>
    index % 2 === 0 ? [[name, texts[index + 1] || null] as const] : [],
  );
  return { id, fields: Object.fromEntries(pairs) };
});

/** An entry of another form, such as a newer deployment's, is left out. */
function toEntries(stored: readonly FoundEntry[]): readonly AuditEntry[] {
  return stored.flatMap(({ fields }) => auditEntry.safeParse(fields).data ?? []);
}

/** Every stored entry, also those past their age limit. */
export const auditData: UserData = {
  name: 'audit',
  kvKeys: (user) => [...streamKeys.map((keyOf) => keyOf(user)), refusalGroupsKey(user)],
  async readInParts(kv, user) {
    const entries: AuditEntry[] = [];
    let cursor: string | undefined;
    do {
      const page: AuditPage = await kv.run(readPage(user, { limit: MAX_AUDIT_PAGE_ENTRIES, cursor }, '-'));
      entries.push(...page.entries);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return entries;
  },
};
