import type { UserId } from '../identity/user-id.ts';
import type { Ask } from './kv.ts';

/** One kind of thing the store holds about a user, as lib/account/all-user-data.ts lists them. */
export type UserData = {
  /** What it is called in the export. */
  readonly name: string;
  /** The KV keys it can be under at that moment, whether they exist or not. */
  kvKeys(user: UserId, now: Date): readonly string[];
  /** What is stored, without any key of a provider. Reads only: asking creates nothing. */
  read(user: UserId, now: Date): Ask<unknown>;
};
