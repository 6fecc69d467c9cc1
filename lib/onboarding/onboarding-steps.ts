/** Which steps an app leads its users through: the default, and the operator's own list. */
import { z } from 'zod';
import { MAX_ONBOARDING_STEPS } from '../limits.ts';

/** The step the server itself judges: completed only with the keys it asks for. */
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
  'must be an object of "id", "title" and perhaps "required"',
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
 * The text of `ONBOARDING_STEPS`: `[{"id": "website", "title": "Your website", "required": true}, …]`, in
 * order, `required` false unless said. Unset: `api-keys` (required), `try-it`, `finish`. A complaint names the
 * step by its number and repeats nothing of the text.
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

/** Undefined when it is not JSON, which is no list either. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
