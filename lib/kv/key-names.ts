/** The names of KV keys that belong to one user. docs/storage-schema.md lists them all. */
import type { UserId } from '../identity/user-id.ts';

/** `kind` may have a part of its own, such as the month of `usage:2026-11`. */
export function ownerKey(user: UserId, kind: string): string {
  return `userkeys:${kind}:${user}`;
}
