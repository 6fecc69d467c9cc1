/** Letting a call through: counted against the caller's limit in the same KV request as what it needs to know. */
import type { UserId } from '../identity/user-id.ts';
import { type Ask, both, type Kv } from '../kv/kv.ts';
import { countCall } from '../guards/rate-limit.ts';

/** Throws Problem `rate_limited` or `store_unavailable`: without KV nothing is let through. */
export type Admit = <T>(user: UserId, question: Ask<T>) => Promise<T>;

export function createAdmit(kv: Kv, callsPerMinute: number, clock: () => Date): Admit {
  return async (user, question) => {
    const [, answer] = await kv.ask(both(countCall(user, callsPerMinute, clock()), question));
    return answer;
  };
}
