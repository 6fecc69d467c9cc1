/** The onboarding steps: the default list, and the operator's own. */
import { z } from 'zod';
import { MAX_ONBOARDING_STEPS } from '../limits.ts';

/** The server itself checks this step: it can be completed only if the required keys are stored. */
export const API_KEYS_STEP = 'api-keys';

export type StepDefinition = { readonly id: string; readonly title: string; readonly required: boolean };

const DEFAULT_STEPS: readonly StepDefinition[] = [
  { id: API_KEYS_STEP, title: 'API keys', required: true },
  { id: 'try-it', title: 'Try it', required: false },
  { id: 'finish', title: 'Finish', required: false },
];

const definition = z.strictObject(
  {
    id: z
      .string('"id" must be a string')
      .regex(/^[a-z][a-z0-9-]{0,39}$/, '"id" must be lower-case letters, digits and "-", at most 40'),
    title: z
      .string('"title" must be a string')
      .regex(/^\S(.{0,78}\S)?$/u, '"title" must be one line of 1 to 80 characters'),
    required: z.boolean('"required" must be true or false').default(false),
  },
  'must be an object with "id", "title" and optionally "required"',
);

const definitions = z
  .array(definition, 'must be a JSON list of steps')
  .min(1, 'must have at least one step')
  .max(MAX_ONBOARDING_STEPS, `must have at most ${MAX_ONBOARDING_STEPS} steps`)
  .refine(
    (steps) => new Set(steps.map(({ id }) => id)).size === steps.length,
    'must not have the same "id" twice',
  );

/**
 * Parses `ONBOARDING_STEPS`: `[{"id": "website", "title": "Your website", "required": true}, …]`, in order. `required`
 * defaults to false. Unset: `api-keys` (required), `try-it`, `finish`. Messages give the number of the step and
 * contain no part of the text.
 */
export const onboardingSteps = z
  .string()
  .optional()
  .transform((text, context): readonly StepDefinition[] => {
    if (text === undefined) return DEFAULT_STEPS;
    const parsed = definitions.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues) {
      const place = typeof path[0] === 'number' ? `step ${path[0] + 1}: ` : '';
      context.addIssue({ code: 'custom', message: `${place}${message}` });
    }
    return z.NEVER;
  });

/** The parsed value, or undefined if the text is not JSON. The schema then rejects it, because it is not a list. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
