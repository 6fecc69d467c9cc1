/** A refusal on the wire: RFC 9457 problem details. */
import type { Problem } from '../errors.ts';

/**
 * `instance` is the request id; `X-Userkeys-Error` tells an answer of ours from one a provider gave.
 * Codes are documented in docs/errors.md.
 */
export function problemResponse(problem: Problem, requestId: string): Response {
  const { code, status, title, message, errors, members, headers } = problem;
  const document = {
    type: `urn:userkeys:problem:${code}`,
    title,
    status,
    detail: message,
    instance: requestId,
    code,
    ...members,
    ...(errors.length > 0 ? { errors } : {}),
  };
  return new Response(JSON.stringify(document), {
    status,
    headers: { 'content-type': 'application/problem+json', 'x-userkeys-error': code, ...headers },
  });
}
