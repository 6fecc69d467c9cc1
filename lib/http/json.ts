/** JSON in and out. */
import type { ZodType } from 'zod';
import { type FieldError, Problem, type Reason } from '../errors.ts';
import { JsonSize } from '../json-size.ts';
import { MAX_FIELD_ERRORS, MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../limits.ts';
import { bodyOf, readWithLimit } from '../outgoing/body.ts';

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
  if (bytes === undefined) throw bodyTooLarge(maxBytes, 'received_length_too_large');
  // Before it is parsed: parser and schema would take long over such a body.
  const { depth, values } = new JsonSize().feed(bytes);
  if (depth > MAX_JSON_DEPTH || values > MAX_JSON_VALUES) {
    throw new Problem('invalid_request', {
      errors: [{ pointer: '', detail: 'is nested too deeply or holds too many values' }],
      reason: 'json_too_deep_or_large',
    });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Problem('invalid_json');
  }
  return parseInput(parsed, schema);
}

async function readBody(request: Request, maxBytes: number): Promise<Uint8Array | undefined> {
  if (request.body === null) return new Uint8Array();
  try {
    return await readWithLimit(bodyOf(request.body), maxBytes);
  } catch {
    throw new Problem('body_incomplete');
  }
}

/**
 * Validates a value and returns the schema's output.
 *
 * @throws Problem `invalid_request`, as `readJson` does.
 */
export function parseInput<T>(value: unknown, schema: ZodType<T>): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors: FieldError[] = result.error.issues.slice(0, MAX_FIELD_ERRORS).map((issue) => ({
    pointer: issue.path
      .map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`)
      .join(''),
    // The schema's own message would repeat the names, which come from the caller.
    detail: issue.code === 'unrecognized_keys' ? 'has members that are not known here' : issue.message,
  }));
  throw new Problem('invalid_request', { errors, reason: 'fields_invalid' });
}

export function bodyTooLarge(maxBytes: number, reason: Reason): Problem {
  return new Problem('body_too_large', {
    detail: `The request body may have at most ${maxBytes} bytes.`,
    members: { maxBytes },
    reason,
  });
}
