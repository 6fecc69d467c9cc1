/** One page of the walk over all records: look at each, seal anew what is under an old key, count. */
import type { AuditBounds } from '../audit/audit-log.ts';
import type { UserId } from '../identity/user-id.ts';
import { askAll } from '../kv/ask-all.ts';
import type { Kv } from '../kv/kv.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { replaceRecord } from '../vault/records.ts';
import type { KeyRecord } from '../vault/key-record.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import { judgeRecord, type Verdict } from './judge-record.ts';
import { noteRotations } from './note-rotations.ts';
import { type FoundRecord, readRecordsOf, scanUsers } from './found-records.ts';
import { addTallies, EMPTY_TALLY, type Tally } from './tally.ts';

/** A user has at most 200 KB of records, so that twenty fit into one answer of KV. */
const USERS_PER_REQUEST = 20;
const REQUESTS_AT_ONCE = 4;
/** Upstash takes a megabyte in one request on every plan. */
const MAX_WRITE_CHARACTERS = 500_000;
/** How often a record is looked at again that somebody else wrote meanwhile. */
const TRIES = 3;

export type Walk = {
  readonly kv: Kv;
  readonly ring: KeyRing;
  /** False: nothing is written, only counted. */
  readonly reseal: boolean;
  /** What is written in the logs of those whose records are sealed anew; undefined: nothing. */
  readonly log?: { readonly at: Date; readonly bounds: AuditBounds } | undefined;
};

type Rewrite = { readonly found: FoundRecord; readonly provider: ProviderId; readonly resealed: KeyRecord };

/**
 * Walks the page at `cursor`. A record is written by compare-and-set against the text it was opened from, so that
 * any save, check or delete that came in between stays as it is.
 *
 * @throws Problem `store_unavailable`; `deployment_outdated` when this ring's own current key is retired. The page
 *   can be walked again at any time.
 */
export async function walkPage(
  walk: Walk,
  cursor: string,
): Promise<{ readonly cursor: string; readonly tally: Tally }> {
  const page = await walk.kv.ask(scanUsers(cursor));
  let tally = EMPTY_TALLY;
  for (const groups of chunk(chunk(page.users, USERS_PER_REQUEST), REQUESTS_AT_ONCE)) {
    const parts = await Promise.all(groups.map((users) => walkUsers(walk, users)));
    tally = parts.reduce(addTallies, tally);
  }
  return { cursor: page.cursor, tally };
}

async function walkUsers(walk: Walk, users: readonly UserId[]): Promise<Tally> {
  const tally = await walkRecords(walk, await walk.kv.ask(readRecordsOf(users)), TRIES);
  return { ...tally, users: users.length };
}

async function walkRecords(walk: Walk, records: readonly FoundRecord[], tries: number): Promise<Tally> {
  const judged = await Promise.all(
    records.map(async (found) => ({ found, verdict: await judgeRecord(walk.ring, found, walk.reseal) })),
  );
  const rewrites = judged.flatMap(({ found, verdict }) =>
    verdict.is === 'old' && verdict.resealed !== undefined
      ? [{ found, provider: verdict.provider, resealed: verdict.resealed }]
      : [],
  );
  const written = await write(walk, rewrites);
  const lost = rewrites.map(({ found }) => found).filter((found) => !written.has(found));
  const again = new Set(tries > 1 ? lost : []);
  const tally = judged
    .filter(({ found }) => !again.has(found))
    .map(({ found, verdict }) => count(verdict, written.has(found) ? walk.ring.currentKid : undefined))
    .reduce(addTallies, EMPTY_TALLY);
  if (again.size === 0) return tally;
  return addTallies(tally, await walkRecords(walk, await readAgain(walk.kv, again), tries - 1));
}

/** Those that were written; the others have changed since they were read. */
async function write({ kv, log }: Walk, rewrites: readonly Rewrite[]): Promise<ReadonlySet<FoundRecord>> {
  const written = new Set<FoundRecord>();
  for (const part of splitBySize(rewrites)) {
    const results = await kv.ask(
      askAll(
        part.map(({ found, provider, resealed }) =>
          replaceRecord(found.user, provider, found.text, resealed),
        ),
      ),
    );
    const replaced = part.filter((_, index) => results[index]);
    for (const { found } of replaced) written.add(found);
    if (log !== undefined) {
      const noted = replaced.map(({ found: { user }, provider }) => ({ user, provider }));
      await noteRotations(kv, noted, log);
    }
  }
  return written;
}

/** The same records as they are now; one that was deleted is gone. */
async function readAgain(kv: Kv, records: ReadonlySet<FoundRecord>): Promise<readonly FoundRecord[]> {
  const wanted = [...records];
  const now = await kv.ask(readRecordsOf([...new Set(wanted.map(({ user }) => user))]));
  return now.filter((found) =>
    wanted.some(({ user, provider }) => user === found.user && provider === found.provider),
  );
}

function count(verdict: Verdict, writtenUnder: string | undefined): Tally {
  if (verdict.is === 'unreadable') return { ...EMPTY_TALLY, unreadable: 1 };
  return {
    ...EMPTY_TALLY,
    resealed: writtenUnder === undefined ? 0 : 1,
    found: new Map([[verdict.kid, 1]]),
    left: new Map([[writtenUnder ?? verdict.kid, 1]]),
  };
}

function splitBySize(rewrites: readonly Rewrite[]): readonly (readonly Rewrite[])[] {
  const parts: Rewrite[][] = [];
  let room = 0;
  for (const rewrite of rewrites) {
    const size = 2 * rewrite.found.text.length;
    if (size > room) {
      parts.push([]);
      room = MAX_WRITE_CHARACTERS;
    }
    parts.at(-1)?.push(rewrite);
    room -= size;
  }
  return parts;
}

function chunk<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}
