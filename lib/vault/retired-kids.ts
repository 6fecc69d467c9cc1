/**
 * Master keys that nothing may be sealed under any more. The store itself refuses such a record, so that a
 * deployment with former settings, which stays reachable at its own address, cannot bring a retired key back.
 */
import type { Ask } from '../kv/kv.ts';

/** A set of `kid`s. */
export const RETIRED_KEY = 'userkeys:retired';

export function retireKid(kid: string): Ask<void> {
  return {
    commands: 1,
    add(batch) {
      batch.sadd(RETIRED_KEY, kid);
    },
    read: () => undefined,
  };
}

export function reinstateKid(kid: string): Ask<void> {
  return {
    commands: 1,
    add(batch) {
      batch.srem(RETIRED_KEY, kid);
    },
    read: () => undefined,
  };
}

export function isRetired(kid: string): Ask<boolean> {
  return {
    commands: 1,
    add(batch) {
      batch.sismember(RETIRED_KEY, kid);
    },
    read: ([member]) => Number(member) === 1,
  };
}

export function readRetired(): Ask<ReadonlySet<string>> {
  return {
    commands: 1,
    add(batch) {
      batch.smembers(RETIRED_KEY);
    },
    read: ([members]) =>
      new Set(Array.isArray(members) ? members.filter((kid) => typeof kid === 'string') : []),
  };
}
