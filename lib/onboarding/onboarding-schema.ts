/**
 * The request and response bodies of onboarding, for the server and for pages. Everything imported here runs in a browser.
 */
import { z } from 'zod';
import { providerIds } from '../providers/catalogue.ts';
import { stepData } from './step-data.ts';

/** The body of `PATCH /api/onboarding`. Without `data` the stored data stays unchanged. */
export const onboardingPatch = z.strictObject({
  step: z.string('must be a string'),
  status: z.enum(['completed', 'skipped'], 'must be "completed" or "skipped"'),
  data: stepData.optional(),
});
export type OnboardingPatch = z.infer<typeof onboardingPatch>;

const onboardingStep = z.object({
  id: z.string(),
  title: z.string(),
  status: z.enum(['pending', 'completed', 'skipped']),
  /** A required step cannot be skipped. */
  required: z.boolean(),
  /** Only on the step `api-keys`: providers that must have a usable key. Empty: one key of any provider is enough. */
  requiredProviders: z.array(z.enum(providerIds)).optional(),
  /** The data that the app stored with the step. */
  data: z.record(z.string(), z.json()).optional(),
});

export type OnboardingStep = z.infer<typeof onboardingStep>;

/** The response of `GET` and `PATCH /api/onboarding`. */
export const onboardingState = z.object({
  /** The first pending step; null if none is pending. */
  currentStep: z.string().nullable(),
  /** The share of steps that are completed or skipped, from 0 to 1. */
  progress: z.number().min(0).max(1),
  /** When the user first requested the session. */
  startedAt: z.iso.datetime(),
  /** When the last pending step was done; null while a step is pending. Repeating a step does not change it. */
  completedAt: z.iso.datetime().nullable(),
  steps: z.array(onboardingStep),
});
export type OnboardingState = z.infer<typeof onboardingState>;
