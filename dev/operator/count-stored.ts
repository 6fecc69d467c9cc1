import { allUserData } from '../../lib/account/account-data.ts';
import type { UserId } from '../../lib/identity/user-id.ts';
import type { Ask } from '../../lib/kv/kv.ts';

/** How many KV keys hold something about the user. */
export function countStored(user: UserId, now: Date): Ask<number> {
  const keys = allUserData.flatMap((part) => part.kvKeys(user, now));
  return {
    commands: 1,
    add(batch) {
      batch.exists(...keys);
    },
    read: ([count]) => Number(count),
  };
}
