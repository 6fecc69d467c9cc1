import type { UserId } from '../identity/user-id.ts';
import type { Kv } from '../kv/kv.ts';
import { allUserData } from './account-data.ts';

export type UserExport = {
  readonly user: string;
  readonly exportedAt: string;
  readonly [name: string]: unknown;
};

/** Everything stored about a user but the keys. Reads only. One request for each kind, so that none is too large. */
export async function exportUser(kv: Kv, user: UserId, now: Date): Promise<UserExport> {
  const parts: [name: string, value: unknown][] = [];
  for (const { name, read } of allUserData) parts.push([name, await kv.ask(read(user, now))]);
  return { user, exportedAt: now.toISOString(), ...Object.fromEntries(parts) };
}
