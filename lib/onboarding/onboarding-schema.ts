/**
 * Onboarding on the wire, for the server and for pages: everything imported here runs in a browser.
 */
import { z } from 'zod';
import { providerIds } from '../providers/catalogue.ts';
import { stepData } from './step-data.ts';

/** What `PATCH /api/onboarding` takes. Data left out leaves the data that is there. */
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
  /** On `api-keys` alone: providers that must have a usable key; empty when one key of any provider will do. */
  requiredProviders: z.array(z.enum(providerIds)).optional(),
  /** What the app stored with the step. */
  data: z.record(z.string(), z.json()).optional(),
});

export type OnboardingStep = z.infer<typeof onboardingStep>;

/** What `GET` and `PATCH /api/onboarding` answer. */
export const onboardingState = z.object({
  /** The first step that is pending; null when none is. */
  currentStep: z.string().nullable(),
  /** Steps completed or skipped, as a part of all: 0 to 1. */
  progress: z.number().min(0).max(1),
  /** When the user first asked. */
  startedAt: z.iso.datetime(),
  /** When the last pending step was done; null while one is pending. Redoing a step does not change it. */
  completedAt: z.iso.datetime().nullable(),
  steps: z.array(onboardingStep),
});
export type OnboardingState = z.infer<typeof onboardingState>;
