/** A refusal on the wire: RFC 9457 problem details. */
import { ConfigError, Problem, toPublicProblem } from '../errors.ts';
import { describeOrigin, log } from '../log.ts';

/** The problem to answer for an error. An unexpected error is logged, without its message. */
export function toProblem(error: unknown, requestId: string): Problem {
  if (error instanceof ConfigError) log({ level: 'error', event: 'not_configured', detail: error.message });
  else if (!(error instanceof Problem)) {
    log({ level: 'error', event: 'unexpected_error', requestId, ...describeOrigin(error) });
  }
  return toPublicProblem(error);
}

/**
 * `instance` is the request id; `X-Userkeys-Error` marks an answer of ours, as opposed to a provider's.
 * docs/errors.md lists the codes.
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
