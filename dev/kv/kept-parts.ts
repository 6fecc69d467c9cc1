// How a Redis value is taken apart for the log. Every type becomes named parts (a hash's fields, a stream's
// entries), so that one rule says what a write changed, whatever command or script made it.

import type { RedisDataValue } from 'js-redis-server/core';

/**
 * A value as parts: `[name, ...content]`, in the value's order. Names are unique. Texts are latin1, one
 * character a byte, so that any byte survives.
 */
export type Part = readonly [name: string, ...content: string[]];

/** The one part of a value that has no inner structure worth telling apart. */
const WHOLE = '';
/** A stream's own counters; no entry's id looks like this. */
const COUNTERS = 'counters';

/**
 * A value's parts. Those of `known`, the parts it had before, are given again where nothing can have changed:
 * an entry of a stream is never rewritten, and streams are what grows long.
 */
export function partsOf(value: RedisDataValue, known: ReadonlyMap<string, Part>): Part[] {
  switch (value.type) {
    case 'string':
      return [[WHOLE, text(value.value)]];
    case 'list':
      return [[WHOLE, ...value.values.map(text)]];
    case 'set':
      return Array.from(value.members.values(), (member): Part => [text(member)]);
    case 'zset':
      return Array.from(value.members.values(), ({ member, score }): Part => [text(member), String(score)]);
    case 'hash':
      return Array.from(
        value.fields.values(),
        ({ field, value: content, expiresAt }): Part =>
          expiresAt === undefined
            ? [text(field), text(content)]
            : [text(field), text(content), String(expiresAt)],
      );
    case 'stream':
      return [
        ...value.entries.map((entry): Part => {
          const id = streamId(entry.id);
          return known.get(id) ?? [id, ...entry.fields.map(text)];
        }),
        [COUNTERS, streamId(value.lastId), String(value.entriesAdded), streamId(value.maxDeletedEntryId)],
      ];
  }
}

/** The value that `partsOf` took apart, the stream's entries back in order. */
export function valueFrom(type: RedisDataValue['type'], parts: Iterable<Part>): RedisDataValue {
  const all = [...parts];
  switch (type) {
    case 'string':
      return { type, value: bytes(all[0]?.[1]) };
    case 'list':
      return { type, values: (all[0] ?? []).slice(1).map(bytes) };
    case 'set':
      return { type, members: new Map(all.map(([name]) => [hex(name), bytes(name)])) };
    case 'zset':
      return {
        type,
        members: new Map(
          all.map(([name, score]) => [hex(name), { member: bytes(name), score: Number(score) }]),
        ),
      };
    case 'hash':
      return {
        type,
        fields: new Map(
          all.map(([name, content, expiresAt]) => [
            hex(name),
            {
              field: bytes(name),
              value: bytes(content),
              ...(expiresAt === undefined ? {} : { expiresAt: Number(expiresAt) }),
            },
          ]),
        ),
      };
    case 'stream': {
      const [, lastId, entriesAdded, maxDeletedEntryId] = all.find(([name]) => name === COUNTERS) ?? [];
      return {
        type,
        entries: all
          .filter(([name]) => name !== COUNTERS)
          .map(([name, ...fields]) => ({ id: parseStreamId(name), fields: fields.map(bytes) }))
          .sort((a, b) => (a.id.ms === b.id.ms ? Number(a.id.seq - b.id.seq) : Number(a.id.ms - b.id.ms))),
        lastId: parseStreamId(lastId),
        entriesAdded: Number(entriesAdded),
        maxDeletedEntryId: parseStreamId(maxDeletedEntryId),
        groups: new Map(),
      };
    }
  }
}

export function text(value: Buffer): string {
  return value.toString('latin1');
}

export function bytes(value = ''): Buffer {
  return Buffer.from(value, 'latin1');
}

/** The engine's own name of a member. */
function hex(name: string): string {
  return bytes(name).toString('hex');
}

function streamId(id: { ms: bigint; seq: bigint }): string {
  return `${id.ms}-${id.seq}`;
}

function parseStreamId(id = '0-0'): { ms: bigint; seq: bigint } {
  const [ms = '0', seq = '0'] = id.split('-');
  return { ms: BigInt(ms), seq: BigInt(seq) };
}
