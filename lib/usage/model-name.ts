/** Model names, in the form in which they are stored. */
import { z } from 'zod';
import { MAX_MODEL_NAME_CHARACTERS } from '../limits.ts';

/** Starts with a letter or a digit. Contains letters, digits and the punctuation that providers use, but no white space. */
export const modelName = z
  .string()
  .max(MAX_MODEL_NAME_CHARACTERS, `must have at most ${MAX_MODEL_NAME_CHARACTERS} characters`)
  .regex(/^[A-Za-z0-9][\w@:./+~-]*$/, 'must be a model name');

/** The name without Gemini's prefix `models/`. Undefined if the value is not a model name. */
export function toModelName(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.replace(/^models\//, '') : value;
  return modelName.safeParse(text).data;
}
