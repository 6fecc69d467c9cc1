/** The onboarding API: reads and changes the state of the user's onboarding. */
import type {
  OnboardingPatch,
  OnboardingState,
  OnboardingStep,
} from '../../lib/onboarding/onboarding-schema.ts';
import { type ApiFetch, readJson } from './api-fetch.ts';
import type { ProviderId } from './api-responses.ts';
import {
  nullable,
  optional,
  parseArray,
  parseBoolean,
  parseNumber,
  parseObject,
  parseOneOf,
  parseString,
} from './json-parsers.ts';

export type { OnboardingPatch };

/** One step. `data` is what the app has stored with it. */
export type Step = Omit<OnboardingStep, 'requiredProviders' | 'data'> & {
  readonly requiredProviders: readonly ProviderId[];
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

export function createOnboarding(apiFetch: ApiFetch) {
  return {
    async get(): Promise<Onboarding> {
      return readJson(parseOnboarding, await apiFetch(PATH));
    },

    /** Completes or skips a step. Repeating the same change has no effect. */
    async patch(change: OnboardingPatch): Promise<Onboarding> {
      return readJson(parseOnboarding, await apiFetch(PATH, { method: 'PATCH', json: change }));
    },

    /** Restarts onboarding. Stored keys are kept. */
    async reset(): Promise<void> {
      await apiFetch(PATH, { method: 'DELETE' });
    },
  };
}

function parseOnboarding(value: unknown): Onboarding {
  const fields = parseObject(value);
  return {
    currentStep: nullable(fields.currentStep, parseString),
    progress: parseNumber(fields.progress),
    startedAt: parseString(fields.startedAt),
    completedAt: nullable(fields.completedAt, parseString),
    steps: parseArray(fields.steps, parseStep),
  };
}

function parseStep(value: unknown): Step {
  const { id, title, status, required, requiredProviders, data } = parseObject(value);
  return {
    id: parseString(id),
    title: parseString(title),
    status: parseOneOf(status, Object.values(STATUSES)),
    required: parseBoolean(required),
    requiredProviders: optional(requiredProviders, (names) => parseArray(names, parseString)) ?? [],
    data: optional(data, parseObject) ?? {},
  };
}
