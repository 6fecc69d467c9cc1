// What the log says is kept, and what to write to it so that it says what the engine now holds. Logged is what
// changed, never what was asked: a script, the clock, a random choice or a generated stream id cannot turn out
// differently when the log is read back, and expiries are points in time.

import type { RedisDatabase, RedisDataValue, RedisMutationEvent } from 'js-redis-server/core';
import { z } from 'zod';
import { bytes, type Part, partsOf, text, valueFrom } from './kept-parts.ts';

const PartSchema: z.ZodType<Part> = z.tuple([z.string()], z.string());
const TypeSchema = z.enum(['string', 'hash', 'list', 'set', 'zset', 'stream']);

/**
 * One change. `put` sets these parts of a key, removes those, and says when the key expires (ms since 1970,
 * null for never). Applying a run of changes twice leaves the same as applying it once.
 */
export const ChangeSchema = z.union([
  z.tuple([z.literal('flush')]),
  z.tuple([z.literal('delete'), z.string()]),
  z.tuple([
    z.literal('put'),
    z.string(),
    TypeSchema,
    z.number().nullable(),
    z.array(PartSchema),
    z.array(z.string()),
  ]),
]);
export type Change = z.infer<typeof ChangeSchema>;

type KeptKey = { type: RedisDataValue['type']; expiresAt: number | null; parts: Map<string, Part> };
/** What has happened to a key since the last `takeChanges`; `value` undefined: its value is as it was. */
type Pending = { gone: true } | { gone: false; value: RedisDataValue | undefined; expiresAt: number | null };

export class KeptData {
  readonly #keys = new Map<string, KeptKey>();
  readonly #pending = new Map<string, Pending>();
  #flushed = false;

  /** Takes in one change read from the log. Nothing expires here: only the whole log knows what a key became. */
  apply(change: Change): void {
    switch (change[0]) {
      case 'flush':
        this.#keys.clear();
        return;
      case 'delete':
        this.#keys.delete(change[1]);
        return;
      case 'put': {
        const [, key, type, expiresAt, set, removed] = change;
        const former = this.#keys.get(key);
        const parts = former?.type === type ? former.parts : new Map<string, Part>();
        for (const part of set) parts.set(part[0], part);
        for (const name of removed) parts.delete(name);
        this.#keys.set(key, { type, expiresAt, parts });
      }
    }
  }

  /** Fills an empty database with what is kept. It ends by itself what has expired in the meantime. */
  restoreInto(database: RedisDatabase): void {
    for (const [key, { type, expiresAt, parts }] of this.#keys) {
      database.set(bytes(key), valueFrom(type, parts.values()), expiresAt === null ? {} : { expiresAt });
    }
  }

  /** Takes note of what the engine did. Values are the event's own copies. */
  observe(event: RedisMutationEvent): void {
    if (event.type === 'flush') {
      this.#pending.clear();
      this.#flushed = true;
      return;
    }
    const key = text(event.key);
    switch (event.type) {
      case 'write':
        this.#pending.set(key, { gone: false, value: event.value, expiresAt: event.expiresAt ?? null });
        return;
      case 'expire':
      case 'persist': {
        const former = this.#pending.get(key);
        const value = former === undefined || former.gone ? undefined : former.value;
        const expiresAt = event.type === 'expire' ? event.expiresAt : null;
        this.#pending.set(key, { gone: false, value, expiresAt });
        return;
      }
      default:
        this.#pending.set(key, { gone: true });
    }
  }

  /** The changes that bring the log up to what was observed. They count as kept from now on. */
  takeChanges(): Change[] {
    const changes: Change[] = [];
    if (this.#flushed) changes.push(this.#taken(['flush']));
    this.#flushed = false;
    for (const [key, pending] of this.#pending) {
      const former = this.#keys.get(key);
      if (!pending.gone) changes.push(...this.#difference(key, former, pending.value, pending.expiresAt));
      else if (former) changes.push(this.#taken(['delete', key]));
    }
    this.#pending.clear();
    return changes;
  }

  /** Everything kept, as the shortest log that says it. */
  *asChanges(): Generator<Change> {
    for (const [key, { type, expiresAt, parts }] of this.#keys) {
      yield ['put', key, type, expiresAt, [...parts.values()], []];
    }
  }

  #difference(
    key: string,
    former: KeptKey | undefined,
    value: RedisDataValue | undefined,
    expiresAt: number | null,
  ): Change[] {
    const type = value?.type ?? former?.type;
    if (type === undefined) return [];
    if (value === undefined) {
      return former?.expiresAt === expiresAt ? [] : [this.#taken(['put', key, type, expiresAt, [], []])];
    }
    const known = former?.type === type ? former.parts : new Map<string, Part>();
    const parts = partsOf(value, known);
    const set = parts.filter((part) => !same(part, known.get(part[0])));
    const removed = namesWithout(known, parts);
    const unchanged = former?.type === type && former.expiresAt === expiresAt;
    if (unchanged && set.length === 0 && removed.length === 0) return [];
    return [this.#taken(['put', key, type, expiresAt, set, removed])];
  }

  #taken(change: Change): Change {
    this.apply(change);
    return change;
  }
}

function same(part: Part, known: Part | undefined): boolean {
  if (part === known) return true;
  return known !== undefined && part.length === known.length && part.every((word, i) => word === known[i]);
}

/** The names in `known` that `parts` has not. */
function namesWithout(known: ReadonlyMap<string, Part>, parts: readonly Part[]): string[] {
  const added = parts.reduce((count, [name]) => (known.has(name) ? count : count + 1), 0);
  if (known.size + added === parts.length) return [];
  const present = new Set(parts.map(([name]) => name));
  return [...known.keys()].filter((name) => !present.has(name));
}
