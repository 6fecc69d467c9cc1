/**
 * Everything the store holds about one user, in one list. What is in the list is exported and erased. A folder that
 * stores something new about users adds it here; test/account/ finds what was forgotten.
 */
import { z } from 'zod';
import { begunData } from '../audit/begun-calls.ts';
import { auditData } from '../audit/read-audit.ts';
import { callCountData, checkCountData } from '../guards/rate-limit.ts';
import { guardData } from '../guards/stored-guards.ts';
import { subjectOf, type UserId } from '../identity/user-id.ts';
import { callStart, markErased, type UserData } from '../kv/erasure.ts';
import type { Kv } from '../kv/kv.ts';
import { deleteLegacyData } from '../kv/legacy-data.ts';
import { combineQueries, count, query } from '../kv/query.ts';
import { onboardingData } from '../onboarding/session.ts';
import { usageData } from '../usage/usage-ledger.ts';
import { deletionData } from '../vault/deletions.ts';
import { keyData } from '../vault/records.ts';

export const allUserData: readonly UserData[] = [
  keyData,
  deletionData,
  guardData,
  onboardingData,
  usageData,
  auditData,
  begunData,
  callCountData,
  checkCountData,
];

export type UserExport = {
  /** The `sub`. */
  readonly user: string;
  readonly exportedAt: string;
  readonly [name: string]: unknown;
};

/** Everything stored about a user except the keys. Reads only. One request or more a kind, so that no answer is too large. */
export async function exportUser(kv: Kv, user: UserId, now: Date): Promise<UserExport> {
  const parts: [name: string, value: unknown][] = [];
  for (const data of allUserData) {
    const value = 'read' in data ? kv.run(data.read(user, now)) : data.readInParts(kv, user, now);
    parts.push([data.name, await value]);
  }
  return { user: subjectOf(user), exportedAt: now.toISOString(), ...Object.fromEntries(parts) };
}

/**
 * Erases every trace of a user in one request. The mark is written first: calls that are under way, such as a save that
 * waits for its provider or a write after an answer, write nothing afterwards. An erasure that was cut off can be
 * repeated, and so can one for a user of whom nothing is stored.
 *
 * @throws Problem `store_unavailable`; the erasure may or may not have happened then.
 */
export async function eraseUser(kv: Kv, user: UserId, now: Date): Promise<void> {
  const keys = allUserData.flatMap((part) => part.kvKeys(user, now));
  const deleteAll = query((pipeline) => pipeline.del(...keys), z.tuple([count]));
  await kv.run(combineQueries(markErased(callStart(user, now)), deleteAll, deleteLegacyData(user, keys)));
}
