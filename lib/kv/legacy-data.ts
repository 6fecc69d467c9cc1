/** Data under the names of an earlier version, which had no tenant. `userkeys migrate tenant` moves it. */
import { z } from 'zod';
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import { legacyOwnerKey, ownerKey } from './key-names.ts';
import { count, type Query, query } from './query.ts';

/** Whether the user has data under the old names. Two commands, because the two keys may be in two slots of a cluster. */
export function hasLegacyData(user: UserId): Query<boolean> {
  return query(
    (pipeline) => pipeline.exists(legacyOwnerKey(user, 'keys')).exists(legacyOwnerKey(user, 'onboarding')),
    foundAny,
  );
}

const foundAny = z.tuple([count, count]).transform(([keys, onboarding]) => keys > 0 || onboarding > 0);

/**
 * Deletes what these keys of the user were called before, so that an erased user does not come back when data is moved.
 * One command each, because the keys may be in several slots of a cluster.
 */
export function deleteLegacyData(user: UserId, keys: readonly string[]): Query<unknown> {
  const start = ownerKey(user, '');
  return query((pipeline) => {
    for (const key of keys) pipeline.del(legacyOwnerKey(user, key.slice(start.length)));
  }, z.array(count).length(keys.length));
}

/**
 * Refuses a call for a user whose data has not been moved. Without this the user would seem to have no keys.
 *
 * @throws Problem `store_outdated`.
 */
export function assertMoved(isLegacy: boolean): void {
  if (isLegacy) throw new Problem('store_outdated', { headers: { 'retry-after': '60' } });
}
