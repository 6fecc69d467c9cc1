import { isLoopback } from '../http/is-loopback.ts';

const PATH = '/.well-known/oauth-protected-resource';

/**
 * Tells the page which issuer on this machine its users sign in with (RFC 9728, section 3). Undefined for any
 * other path, and when the functions trust an issuer elsewhere. Only this host answers it: a deployment does not.
 */
export function issuerMetadata(
  request: Request,
  issuer = process.env.AUTH_ISSUER ?? '',
): Response | undefined {
  const { pathname, origin } = new URL(request.url);
  if (pathname !== PATH || !isLoopback(issuer)) return undefined;
  const metadata = { resource: origin, authorization_servers: [issuer] };
  return Response.json(metadata, { headers: { 'cache-control': 'no-store' } });
}
