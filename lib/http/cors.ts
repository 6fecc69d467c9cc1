/** Cross-origin access for the configured browser origins (Fetch standard, section 3.3). Others get no CORS headers. */
import { PREFLIGHT_LIFETIME_SECONDS } from '../limits.ts';

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';

/** The answer to a preflight, which carries no credential and is answered before anything is verified. */
export function preflight(request: Request, allowedOrigins: readonly string[]): Response {
  const headers = new Headers({ vary: 'Origin, Access-Control-Request-Headers' });
  if (isAllowed(request, allowedOrigins)) {
    headers.set('access-control-allow-methods', METHODS);
    headers.set('access-control-max-age', String(PREFLIGHT_LIFETIME_SECONDS));
    const requested = request.headers.get('access-control-request-headers');
    if (requested !== null) headers.set('access-control-allow-headers', requested);
  }
  return new Response(null, { status: 204, headers });
}

/**
 * Lets a page of an allowed origin read the response and all of its headers. SDKs need different headers, and none of
 * them is confidential.
 */
export function allowOrigin(request: Request, response: Headers, allowedOrigins: readonly string[]): void {
  response.append('vary', 'Origin');
  const origin = request.headers.get('origin');
  if (origin === null || !isAllowed(request, allowedOrigins)) return;
  const exposed = [...response.keys()].join(', ');
  response.set('access-control-allow-origin', origin);
  response.set('access-control-expose-headers', exposed);
}

function isAllowed(request: Request, allowedOrigins: readonly string[]): boolean {
  return allowedOrigins.includes(request.headers.get('origin') ?? '');
}
