/** Where a user is in onboarding, and moving on in it. */
import type {
  OnboardingPatch,
  OnboardingState,
  OnboardingStep,
} from '../../lib/onboarding/onboarding-schema.ts';
import type { ProviderName } from './answers.ts';
import type { CallApi } from './call-api.ts';
import { fieldsOf, flag, list, nullable, number, oneOf, optional, text } from './decode.ts';
import { readAnswer } from './read-answer.ts';

export type { OnboardingPatch };

/** One step. `data` is what the app stored with it. */
export type Step = Omit<OnboardingStep, 'requiredProviders' | 'data'> & {
  readonly requiredProviders: readonly ProviderName[];
  readonly data: Readonly<Record<string, unknown>>;
};
type StepStatus = Step['status'];

export type Onboarding = Omit<OnboardingState, 'steps'> & { readonly steps: readonly Step[] };

const PATH = '/api/onboarding';

const STATUSES: { readonly [Status in StepStatus]: Status } = {
  pending: 'pending',
  completed: 'completed',
  skipped: 'skipped',
};

export function createOnboarding(callApi: CallApi) {
  return {
    async get(): Promise<Onboarding> {
      return readAnswer(decodeOnboarding, await callApi(PATH));
    },

    /** Completes or skips a step. Saying the same again changes nothing. */
    async patch(change: OnboardingPatch): Promise<Onboarding> {
      return readAnswer(decodeOnboarding, await callApi(PATH, { method: 'PATCH', json: change }));
    },

    /** Starts over. Keys stay. */
    async reset(): Promise<void> {
      await callApi(PATH, { method: 'DELETE' });
    },
  };
}

function decodeOnboarding(value: unknown): Onboarding {
  const fields = fieldsOf(value);
  return {
    currentStep: nullable(fields.currentStep, text),
    progress: number(fields.progress),
    startedAt: text(fields.startedAt),
    completedAt: nullable(fields.completedAt, text),
    steps: list(fields.steps, decodeStep),
  };
}

function decodeStep(value: unknown): Step {
  const { id, title, status, required, requiredProviders, data } = fieldsOf(value);
  return {
    id: text(id),
    title: text(title),
    status: oneOf(status, Object.values(STATUSES)),
    required: flag(required),
    requiredProviders: optional(requiredProviders, (names) => list(names, text)) ?? [],
    data: optional(data, fieldsOf) ?? {},
  };
}
