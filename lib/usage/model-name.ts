/** Names of models, where they become part of what is stored. */
import { z } from 'zod';

/** Letters, digits and the punctuation that providers use, no white space; it begins with a letter or a digit. */
export const modelName = z
  .string()
  .max(120, 'must have at most 120 characters')
  .regex(/^[A-Za-z0-9][\w@:./+~-]*$/, 'must be a model name');

/** The name if it is one, without the `models/` that Gemini may put before it; else undefined. */
export function toModelName(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.replace(/^models\//, '') : value;
  return modelName.safeParse(text).data;
}
