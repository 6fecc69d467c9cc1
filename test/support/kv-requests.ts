import type { World } from './start-world.ts';

/**
 * How many requests reached the KV, less those that write down a call after its response: those may come at any
 * time, also while the next call is under way. Each of them looks for the mark of an erased user.
 */
export function requestsBeforeResponses(world: World): number {
  return world.kv.requests.filter(
    (commands) => !commands.flat().some((word) => word.startsWith('userkeys:erased:')),
  ).length;
}
