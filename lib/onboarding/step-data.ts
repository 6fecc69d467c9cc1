/** The data that an app may store with a step: one small JSON object. Runs in the browser too. */

import { z } from 'zod';
import { MAX_STEP_DATA_BYTES, MAX_STEP_DATA_DEPTH } from '../limits.ts';

type Node = { readonly value: unknown; readonly path: readonly (string | number)[] };

/**
 * A JSON object of at most 16 KB (as UTF-8 without white space) and 32 levels. Two things are rejected, with their path:
 * the name `__proto__`, which is unsafe in code that merges objects, and numbers that JSON cannot represent (`1e999` is
 * parsed as infinity and would be returned as `null`).
 */
export const stepData = z
  .unknown()
  .superRefine((value, context) => {
    const invalid = findInvalid(value);
    if (invalid === undefined) return;
    // Without `input`, so that the issue does not contain the rejected value.
    context.addIssue({
      code: 'custom',
      message: invalid.message,
      path: [...invalid.path],
      continue: false,
    });
  })
  .pipe(z.record(z.string(), z.json(), 'must be a JSON object'));

/** Does not use recursion, so that deeply nested input cannot overflow the stack before it is rejected. */
function findInvalid(root: unknown): { readonly message: string; readonly path: Node['path'] } | undefined {
  const pending: Node[] = [{ value: root, path: [] }];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const { value, path } = node;
    if (typeof value === 'number' && !Number.isFinite(value)) {
      return { message: 'must be a number that JSON can represent', path };
    }
    if (typeof value !== 'object' || value === null) continue;
    if (path.length >= MAX_STEP_DATA_DEPTH)
      return { message: `must have at most ${MAX_STEP_DATA_DEPTH} levels`, path: [] };
    for (const [name, inner] of Object.entries(value)) {
      if (name === '__proto__') return { message: 'must not be used as a name', path: [...path, name] };
      pending.push({ value: inner, path: [...path, Array.isArray(value) ? Number(name) : name] });
    }
  }
  const bytes = new TextEncoder().encode(JSON.stringify(root) ?? '').length;
  if (bytes <= MAX_STEP_DATA_BYTES) return undefined;
  return { message: `must have at most ${MAX_STEP_DATA_BYTES} bytes as JSON`, path: [] };
}
