/** A provider's error answer to a call of ours, as a problem of ours. On the gateway it passes as it is instead. */
import { z } from 'zod';
import { Problem, type ProblemCode } from '../errors.ts';
import { MAX_PROVIDER_MESSAGE_CHARACTERS } from '../limits.ts';

/** The shapes in which providers say what was wrong. */
const errorBody = z.union([
  z.object({ error: z.object({ message: z.string() }) }).transform(({ error }) => error.message),
  z.object({ error: z.string() }).transform(({ error }) => error),
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.object({ detail: z.string() }).transform(({ detail }) => detail),
]);

/** The problem for a status, with the provider's own message, from which `redact` has taken the key. */
export function providerRefusal(
  status: number,
  body: string,
  redact: (text: string) => string,
  retryAfter?: string | null,
): Problem {
  const message = readMessage(body);
  return new Problem(refusalCode(status), {
    members: {
      upstreamStatus: status,
      ...(message === undefined
        ? {}
        : { providerMessage: redact(message).slice(0, MAX_PROVIDER_MESSAGE_CHARACTERS) }),
    },
    ...(retryAfter ? { headers: { 'retry-after': redact(retryAfter) } } : {}),
  });
}

/** What a provider's error status comes to. */
export function refusalCode(status: number): ProblemCode {
  if (status === 401 || status === 403) return 'key_rejected';
  if (status === 429) return 'provider_limited';
  return status >= 400 && status < 500 ? 'provider_refused' : 'provider_error';
}

function readMessage(body: string): string | undefined {
  try {
    return errorBody.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}
