/**
 * Everything the store holds about one user, in one list. What stands here is exported and erased; a room that
 * stores something new about users adds it, and test/account/ finds what was forgotten.
 */
import { auditData } from '../audit/audit-log.ts';
import { guardData } from '../guards/stored-guards.ts';
import type { UserData } from '../kv/user-data.ts';
import { callCountData } from '../guards/rate-limit.ts';
import { onboardingData } from '../onboarding/onboarding-data.ts';
import { usageData } from '../usage/usage-ledger.ts';
import { keyData } from '../vault/key-data.ts';

export const allUserData: readonly UserData[] = [
  keyData,
  guardData,
  onboardingData,
  usageData,
  auditData,
  callCountData,
];
