/** JSON in and out. */
import type { ZodType } from 'zod';
import { JSON_MAX_DEPTH, JSON_MAX_VALUES } from '../limits.ts';
import { type FieldError, Problem } from '../errors.ts';
import { readCapped } from '../outgoing/read-capped.ts';

/** The most fields that one answer names. */
const MAX_FIELD_ERRORS = 20;

export function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } });
}

export function noContent(): Response {
  return new Response(null, { status: 204 });
}

/**
 * The request's body, parsed by the schema.
 *
 * @throws Problem `body_too_large`, `body_incomplete`, `invalid_json`, or `invalid_request` with a JSON Pointer
 *   (RFC 6901) to each field that is wrong, twenty at most. No value of the body is repeated.
 */
export async function readJson<T>(request: Request, schema: ZodType<T>, maxBytes: number): Promise<T> {
  const bytes = await readBody(request, maxBytes);
  if (bytes === undefined) throw tooLarge(maxBytes);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Problem('invalid_json');
  }
  if (!isModest(parsed, JSON_MAX_DEPTH, { left: JSON_MAX_VALUES })) {
    throw new Problem('invalid_request', {
      errors: [{ pointer: '', detail: 'nests too deep or holds too much' }],
    });
  }
  return conform(parsed, schema);
}

async function readBody(request: Request, maxBytes: number): Promise<Uint8Array | undefined> {
  if (request.body === null) return new Uint8Array();
  try {
    return await readCapped(request.body, maxBytes);
  } catch {
    throw new Problem('body_incomplete');
  }
}

/** Whether a value nests and holds no more than allowed. A schema would take its time over one that does. */
function isModest(value: unknown, depth: number, budget: { left: number }): boolean {
  budget.left -= 1;
  if (budget.left < 0) return false;
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((member) => isModest(member, depth - 1, budget));
}

/** The value as the schema has it, or Problem `invalid_request`. */
export function conform<T>(value: unknown, schema: ZodType<T>): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors: FieldError[] = result.error.issues.slice(0, MAX_FIELD_ERRORS).map((issue) => ({
    pointer: issue.path
      .map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`)
      .join(''),
    // The schema's own words for this would repeat the names, which are the caller's.
    detail: issue.code === 'unrecognized_keys' ? 'has members that are not known here' : issue.message,
  }));
  throw new Problem('invalid_request', { errors });
}

export function tooLarge(maxBytes: number): Problem {
  return new Problem('body_too_large', {
    detail: `The request body may have at most ${maxBytes} bytes.`,
    members: { maxBytes },
  });
}
