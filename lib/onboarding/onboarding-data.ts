import { readFields } from '../kv/read-fields.ts';
import type { UserData } from '../kv/user-data.ts';
import { sessionKey } from './session.ts';

const STEP_FIELD = 'step:';

/** A user's onboarding as it is stored: also steps that are in no list any more. */
export const onboardingData: UserData = {
  name: 'onboarding',
  kvKeys: (user) => [sessionKey(user)],
  read(user) {
    const { read, ...ask } = readFields(sessionKey(user));
    return {
      ...ask,
      read(results) {
        const fields = read(results);
        if (fields.size === 0) return null;
        const steps = [...fields].filter(([field]) => field.startsWith(STEP_FIELD));
        return {
          startedAt: fields.get('startedAt') ?? null,
          steps: steps.map(([field, text]) => ({ id: field.slice(STEP_FIELD.length), ...parse(text) })),
        };
      },
    };
  },
};

/** The stored record, or its text where it is damaged: it is still the user's. */
function parse(text: string): object {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : { text };
  } catch {
    return { text };
  }
}
