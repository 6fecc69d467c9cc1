import type { UserId } from '../identity/user-id.ts';
import { callStart, markErased } from '../kv/erasure.ts';
import { type Ask, both, type Kv } from '../kv/kv.ts';
import { allUserData } from './account-data.ts';

/**
 * Erases every trace of a user in one request. The mark comes first: whatever was under way, a save that still
 * waits for its provider or a note about a call that was answered, writes nothing afterwards. Cut off half-way, or
 * for a user of whom nothing is stored, it can be repeated and ends the same.
 *
 * @throws Problem `store_unavailable`; it may or may not have happened then.
 */
export async function eraseUser(kv: Kv, user: UserId, now: Date): Promise<void> {
  await kv.ask(both(markErased(await callStart(user, now)), deleteAll(user, now)));
}

function deleteAll(user: UserId, now: Date): Ask<void> {
  const keys = allUserData.flatMap((part) => part.kvKeys(user, now));
  return {
    commands: 1,
    add(batch) {
      batch.del(...keys);
    },
    read: () => undefined,
  };
}
