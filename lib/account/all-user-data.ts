/**
 * Everything the store holds about one user, in one list. What stands here is exported and erased; a room that
 * stores something new about users adds it, and test/account/ finds what was forgotten.
 */
import type { UserData } from '../kv/user-data.ts';
import { callCountData } from '../limits/rate-limit.ts';
import { onboardingData } from '../onboarding/onboarding-data.ts';
import { keyData } from '../vault/key-data.ts';

export const allUserData: readonly UserData[] = [keyData, onboardingData, callCountData];
