import type { World } from './start-world.ts';

/**
 * How many requests reached KV, without those that record a call after its response: these may arrive at any time,
 * also during the next call. They are recognized by the text of their script.
 */
export function requestsBeforeResponses(world: World): number {
  return world.kv.requests.filter(
    (commands) => !commands.flat().some((word) => word.includes('nextArgument')),
  ).length;
}
