/**
 * Retired master keys, under which no record may be sealed any more. The store's own script refuses such a record, so an
 * older deployment that is still reachable at its own URL cannot use a retired key again.
 */
import { z } from 'zod';
import { globalKey } from '../kv/key-names.ts';
import { count, type Query, query } from '../kv/query.ts';

/** The KV key of the set of retired `kid`s. */
export const RETIRED_KEY = globalKey('retired');

export function retireKid(kid: string): Query<unknown> {
  return query((pipeline) => pipeline.sadd(RETIRED_KEY, kid), z.tuple([count]));
}

export function reinstateKid(kid: string): Query<unknown> {
  return query((pipeline) => pipeline.srem(RETIRED_KEY, kid), z.tuple([count]));
}

export function isRetired(kid: string): Query<boolean> {
  return query(
    (pipeline) => pipeline.sismember(RETIRED_KEY, kid),
    z.tuple([z.union([z.literal(0), z.literal(1)])]).transform(([member]) => member === 1),
  );
}

export function readRetired(): Query<ReadonlySet<string>> {
  return query(
    (pipeline) => pipeline.smembers(RETIRED_KEY),
    z.tuple([z.array(z.string())]).transform(([members]) => new Set(members)),
  );
}
