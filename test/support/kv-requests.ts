import type { World } from './start-world.ts';

/**
 * How many requests reached KV, without those that record a call after its response: these may arrive at any time,
 * also during the next call. They are recognized by their check for the mark of an erased user.
 */
export function requestsBeforeResponses(world: World): number {
  return world.kv.requests.filter(
    (commands) => !commands.flat().some((word) => word.startsWith('userkeys:erased:')),
  ).length;
}
