/** What an app may keep with a step: one small JSON object. Runs in the browser too. */
import { z } from 'zod';
import { MAX_STEP_DATA_BYTES, MAX_STEP_DATA_DEPTH } from '../limits.ts';

type Place = { readonly value: unknown; readonly path: readonly (string | number)[] };

/**
 * A JSON object of at most 16 KB, written without white space in UTF-8, and 32 levels. Refused, each with its
 * path: a name `__proto__`, which merging code takes for something else, and numbers that JSON cannot hold
 * (`1e999` reads as infinity and would come back as `null`).
 */
export const stepData = z
  .unknown()
  .superRefine((value, context) => {
    const complaint = findComplaint(value);
    if (complaint === undefined) return;
    // `input` left out: an issue never repeats what was sent.
    context.addIssue({
      code: 'custom',
      message: complaint.message,
      path: [...complaint.path],
      continue: false,
    });
  })
  .pipe(z.record(z.string(), z.json(), 'must be a JSON object'));

/** Walks without recursion: what is nested too deeply must not end the walk before it is refused. */
function findComplaint(
  root: unknown,
): { readonly message: string; readonly path: Place['path'] } | undefined {
  const open: Place[] = [{ value: root, path: [] }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { value, path } = place;
    if (typeof value === 'number' && !Number.isFinite(value)) {
      return { message: 'must be a number that JSON can hold', path };
    }
    if (typeof value !== 'object' || value === null) continue;
    if (path.length >= MAX_STEP_DATA_DEPTH)
      return { message: `must have at most ${MAX_STEP_DATA_DEPTH} levels`, path: [] };
    for (const [name, inner] of Object.entries(value)) {
      if (name === '__proto__') return { message: 'must not be used as a name', path: [...path, name] };
      open.push({ value: inner, path: [...path, Array.isArray(value) ? Number(name) : name] });
    }
  }
  const bytes = new TextEncoder().encode(JSON.stringify(root) ?? '').length;
  if (bytes <= MAX_STEP_DATA_BYTES) return undefined;
  return { message: `must have at most ${MAX_STEP_DATA_BYTES} bytes as JSON`, path: [] };
}
