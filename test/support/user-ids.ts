import { isSubject, toUserId, type UserId } from '../../lib/identity/user-id.ts';
import { ownerKey } from '../../lib/kv/key-names.ts';
import { TEST_TENANT } from './start-world.ts';

/** The user with this `sub` in the tenant of the tests. */
export function userId(sub: string): UserId {
  if (!isSubject(sub)) throw new Error('not a sub');
  return toUserId(TEST_TENANT, sub);
}

/** The KV key that holds this kind of data of the user with this `sub`. */
export function kvKey(kind: string, sub: string): string {
  return ownerKey(userId(sub), kind);
}
