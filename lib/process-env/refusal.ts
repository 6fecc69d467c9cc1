/** The answer to a caller for whom no scope is opened: what every other route of this deployment gives. */
import type { ServerResponse } from 'node:http';
import { app } from '../app.ts';
import { Problem } from '../errors.ts';
import { allowOrigin } from '../http/cors.ts';
import { problemResponse } from '../http/problem-response.ts';
import { describeOrigin, log } from '../log.ts';

/** A problem document with `no-store` and the request id, readable by the pages of `ALLOWED_ORIGINS`. */
export async function refusal(error: unknown, request: Request): Promise<Response> {
  const requestId = crypto.randomUUID();
  if (!(error instanceof Problem)) {
    log({ level: 'error', event: 'unexpected_error', requestId, ...describeOrigin(error) });
  }
  const response = problemResponse(error instanceof Problem ? error : new Problem('internal'), requestId);
  response.headers.set('cache-control', 'no-store');
  response.headers.set('x-request-id', requestId);
  response.headers.set('x-userkeys-request-id', requestId);
  const allowedOrigins = await app().then(
    (composed) => composed.allowedOrigins,
    () => [],
  );
  allowOrigin(request, response.headers, allowedOrigins);
  return response;
}

export async function writeRefusal(response: Response, outgoing: ServerResponse): Promise<undefined> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(await response.text());
}
