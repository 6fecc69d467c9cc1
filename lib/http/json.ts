/** JSON in and out. */
import type { ZodType } from 'zod';
import { type FieldError, Problem } from '../errors.ts';
import { readCapped } from '../outgoing/read-capped.ts';

export function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } });
}

export function noContent(): Response {
  return new Response(null, { status: 204 });
}

/**
 * The request's body, parsed by the schema.
 *
 * @throws Problem `body_too_large`, `invalid_json`, or `invalid_request` with a JSON Pointer (RFC 6901) to each
 *   field that is wrong. No value of the body is repeated.
 */
export async function readJson<T>(request: Request, schema: ZodType<T>, maxBytes: number): Promise<T> {
  const bytes = request.body === null ? new Uint8Array() : await readCapped(request.body, maxBytes);
  if (bytes === undefined) throw tooLarge(maxBytes);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Problem('invalid_json');
  }
  return conform(parsed, schema);
}

/** The value as the schema has it, or Problem `invalid_request`. */
export function conform<T>(value: unknown, schema: ZodType<T>): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors: FieldError[] = result.error.issues.map((issue) => ({
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
