/** Turns a provider's error answer into a problem. The gateway does not use this: it forwards the provider's answer. */
import { z } from 'zod';
import { Problem, refusalCode } from '../errors.ts';
import { MAX_PROVIDER_MESSAGE_CHARACTERS } from '../limits.ts';

/** The JSON shapes in which providers send error messages. */
const errorBody = z.union([
  z.object({ error: z.object({ message: z.string() }) }).transform(({ error }) => error.message),
  z.object({ error: z.string() }).transform(({ error }) => error),
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.object({ detail: z.string() }).transform(({ detail }) => detail),
]);

/** The problem for a status, with the provider's own message. `redact` removes the key from it. */
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

function readMessage(body: string): string | undefined {
  try {
    return errorBody.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}
