// Keeps the embedded engine's keys in one SQLite file.
//
// Stored is what a key holds after a request, never the command that was asked for: a script, the clock, a random
// choice or a generated stream id cannot give another result when the file is read back.

import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { deserialize, serialize } from 'node:v8';
import type { RedisDatabase } from 'js-redis-server/core';
import { z } from 'zod';

const FILE = 'kv.sqlite';
const OWNER_ONLY = 0o600;
const SQLITE_BUSY = 5;

const REDIS_DATA = 'Start redis-server on that directory and set REDIS_URL, or remove it to start over.';
/** What other versions kept their data in, and what to do about it: an empty store would look like a lost one. */
const OTHER_DATA: readonly (readonly [name: string, advice: string])[] = [
  ['embedded.log', 'Remove that directory to start over with an empty store.'],
  ['appendonlydir', REDIS_DATA],
  ['appendonly.aof', REDIS_DATA],
];

/**
 * `FULL` makes a commit wait for the disk. `EXCLUSIVE` holds the file until it is closed or the process ends,
 * also with `kill -9`, so that two processes cannot work on the same data.
 *
 * A stream's entries have rows of their own: a stream grows long, and one more entry must not rewrite it.
 */
const SETUP = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  BEGIN EXCLUSIVE;
  CREATE TABLE IF NOT EXISTS keys (
    key BLOB PRIMARY KEY, expires_at INTEGER, value BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS stream_entries (
    key BLOB, id TEXT, entry BLOB NOT NULL, PRIMARY KEY (key, id)
  ) STRICT, WITHOUT ROWID;
  COMMIT;
`;

const Bytes = z.instanceof(Buffer);
const StreamId = z.object({ ms: z.bigint(), seq: z.bigint() });
const StreamEntry = z.object({ id: StreamId, fields: z.array(Bytes) });
type StreamEntry = z.infer<typeof StreamEntry>;

const HashField = z
  .object({ field: Bytes, value: Bytes, expiresAt: z.number().optional() })
  .transform(({ expiresAt, ...field }) => (expiresAt === undefined ? field : { ...field, expiresAt }));

/** A value as js-redis-server holds it. Consumer groups are refused by `embedded-commands.ts`. */
const Value = z.discriminatedUnion('type', [
  z.object({ type: z.literal('string'), value: Bytes }),
  z.object({ type: z.literal('list'), values: z.array(Bytes) }),
  z.object({ type: z.literal('set'), members: z.map(z.string(), Bytes) }),
  z.object({
    type: z.literal('zset'),
    members: z.map(
      z.string(),
      z.object({ member: Bytes, score: z.number().or(z.literal([Infinity, -Infinity])) }),
    ),
  }),
  z.object({
    type: z.literal('hash'),
    fields: z.map(z.string(), HashField),
  }),
  z.object({
    type: z.literal('stream'),
    entries: z.array(StreamEntry),
    lastId: StreamId,
    entriesAdded: z.number(),
    maxDeletedEntryId: StreamId,
    groups: z.map(z.string(), z.never()),
  }),
]);

const KeyRow = z.object({
  key: z.instanceof(Uint8Array),
  expires_at: z.number().nullable(),
  value: z.instanceof(Uint8Array),
});
const EntryRow = z.object({ key: z.instanceof(Uint8Array), entry: z.instanceof(Uint8Array) });

export class SqliteStore {
  readonly #file: DatabaseSync;
  readonly #database: RedisDatabase;
  /** The entries that each stream has in the file. */
  readonly #streams = new Map<string, readonly StreamEntry[]>();
  /** Keys that may have changed since the last `save`, latin1: one character a byte. */
  #touched = new Set<string>();
  #flushed = false;

  private constructor(file: DatabaseSync, database: RedisDatabase) {
    this.#file = file;
    this.#database = database;
  }

  /**
   * Loads what `directory` holds into an empty database, and takes note of what changes from then on. Throws when
   * another process has the data open, when it is damaged, and when another version wrote it.
   */
  static open(directory: string, database: RedisDatabase): SqliteStore {
    const path = join(directory, FILE);
    for (const [name, advice] of OTHER_DATA) {
      if (existsSync(path) || !existsSync(join(directory, name))) continue;
      throw new Error(`The data in ${directory} (${name}) was written by an earlier version. ${advice}`);
    }
    closeSync(openSync(path, 'a', OWNER_ONLY));
    const file = new DatabaseSync(path, { timeout: 0 });
    try {
      file.exec(SETUP);
      const found = file.prepare('PRAGMA quick_check(1)').get();
      if (found?.quick_check !== 'ok') throw new Error(String(found?.quick_check));
      const store = new SqliteStore(file, database);
      store.#load();
      database.subscribe((event) => {
        if (event.type === 'flush') {
          store.#touched.clear();
          store.#flushed = true;
        } else {
          store.#touched.add(event.key.toString('latin1'));
        }
      });
      return store;
    } catch (cause) {
      file.close();
      if (cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY) {
        throw new Error(
          `npm run dev already runs here, on the data in ${directory}. Stop it, or start this one on data of its own: npm run dev -- --data <directory>`,
        );
      }
      throw new Error(
        `${path} is damaged or not the data of this KV. Restore it, or remove it to start with an empty store.`,
        { cause },
      );
    }
  }

  /** Writes what has changed, in one transaction. It is on the disk when this returns. */
  save(): void {
    if (this.#touched.size === 0 && !this.#flushed) return;
    const touched = this.#touched;
    this.#touched = new Set();
    this.#file.exec('BEGIN');
    if (this.#flushed) this.#clear();
    this.#flushed = false;
    for (const key of touched) this.#saveKey(key);
    this.#file.exec('COMMIT');
  }

  close(): void {
    this.#file.close();
  }

  #load(): void {
    const streams = new Map<string, StreamEntry[]>();
    for (const row of this.#file
      .prepare('SELECT key, entry FROM stream_entries ORDER BY key, id')
      .iterate()) {
      const { key, entry } = EntryRow.parse(row);
      const name = Buffer.from(key).toString('latin1');
      const entries = streams.get(name) ?? [];
      entries.push(StreamEntry.parse(deserialize(entry)));
      streams.set(name, entries);
    }
    for (const row of this.#file.prepare('SELECT key, expires_at, value FROM keys').iterate()) {
      const { key, expires_at, value: stored } = KeyRow.parse(row);
      const name = Buffer.from(key);
      const value = Value.parse(deserialize(stored));
      if (value.type === 'stream') value.entries = streams.get(name.toString('latin1')) ?? [];
      this.#database.set(name, value, expires_at === null ? {} : { expiresAt: expires_at });
    }
    for (const [name, entries] of streams) this.#streams.set(name, entries);
  }

  #saveKey(name: string): void {
    const key = Buffer.from(name, 'latin1');
    const value = this.#database.get(key);
    const expiration = this.#database.getExpiration(key);
    if (value === null || expiration.kind === 'missing') {
      this.#file.prepare('DELETE FROM keys WHERE key = ?').run(key);
      this.#saveEntries(key, name, []);
      return;
    }
    const isStream = value.type === 'stream';
    this.#saveEntries(key, name, isStream ? value.entries : []);
    this.#file
      .prepare('INSERT OR REPLACE INTO keys (key, expires_at, value) VALUES (?, ?, ?)')
      .run(
        key,
        expiration.kind === 'expires' ? expiration.expiresAt : null,
        serialize(isStream ? { ...value, entries: [] } : value),
      );
  }

  #saveEntries(key: Buffer, name: string, entries: readonly StreamEntry[]): void {
    const former = new Map((this.#streams.get(name) ?? []).map((entry) => [sortable(entry), entry]));
    for (const entry of entries) {
      const id = sortable(entry);
      const stored = former.get(id);
      former.delete(id);
      if (stored !== undefined && sameFields(stored, entry)) continue;
      this.#file
        .prepare('INSERT OR REPLACE INTO stream_entries (key, id, entry) VALUES (?, ?, ?)')
        .run(key, id, serialize(entry));
    }
    for (const id of former.keys()) {
      this.#file.prepare('DELETE FROM stream_entries WHERE key = ? AND id = ?').run(key, id);
    }
    if (entries.length > 0) this.#streams.set(name, entries);
    else this.#streams.delete(name);
  }

  #clear(): void {
    this.#file.exec('DELETE FROM keys; DELETE FROM stream_entries');
    this.#streams.clear();
  }
}

/** An entry's id with as many digits in each half as the largest has, so that ids sort as text. */
function sortable({ id }: StreamEntry): string {
  return `${id.ms}`.padStart(20, '0') + `${id.seq}`.padStart(20, '0');
}

function sameFields(one: StreamEntry, other: StreamEntry): boolean {
  return (
    one.fields.length === other.fields.length &&
    one.fields.every((field, index) => other.fields[index]?.equals(field))
  );
}
