/** Names of models, as they are stored. */
import { z } from 'zod';
import { MAX_MODEL_NAME_CHARACTERS } from '../limits.ts';

/** Begins with a letter or a digit. May hold letters, digits and the punctuation that providers use, no white space. */
export const modelName = z
  .string()
  .max(MAX_MODEL_NAME_CHARACTERS, `must have at most ${MAX_MODEL_NAME_CHARACTERS} characters`)
  .regex(/^[A-Za-z0-9][\w@:./+~-]*$/, 'must be a model name');

/** The name, without the `models/` that Gemini may put in front of it. Undefined where the value is no model's name. */
export function toModelName(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.replace(/^models\//, '') : value;
  return modelName.safeParse(text).data;
}
