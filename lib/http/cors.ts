/** Cross-origin access for the configured browser origins (Fetch standard, section 3.3). Others get no CORS headers. */

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const PREFLIGHT_LIFETIME_SECONDS = 600;
/** What SDKs running in a page read from answers. */
const EXPOSED = [
  ...['x-request-id', 'x-userkeys-error', 'x-userkeys-request-id', 'request-id', 'www-authenticate'],
  ...['retry-after', 'retry-after-ms', 'x-should-retry', 'ratelimit', 'ratelimit-policy'],
  ...['x-userkeys-provider', 'x-userkeys-model'],
  ...['x-goog-upload-url', 'x-goog-upload-status', 'x-goog-upload-chunk-granularity', 'content-disposition'],
].join(', ');

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

/** Lets an allowed origin's page read the response. */
export function allowOrigin(request: Request, response: Headers, allowedOrigins: readonly string[]): void {
  response.append('vary', 'Origin');
  const origin = request.headers.get('origin');
  if (origin === null || !isAllowed(request, allowedOrigins)) return;
  response.set('access-control-allow-origin', origin);
  response.set('access-control-expose-headers', EXPOSED);
}

function isAllowed(request: Request, allowedOrigins: readonly string[]): boolean {
  return allowedOrigins.includes(request.headers.get('origin') ?? '');
}
