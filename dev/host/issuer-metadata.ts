/**
 * The page asks here which issuer on this machine its users sign in with, in the form of RFC 9728. A deployment has
 * no such path.
 */
import { isLoopback } from '../http/is-loopback.ts';

export const ISSUER_METADATA_PATH = '/.well-known/oauth-protected-resource';

export function describeIssuer(issuer: string) {
  return { authorization_servers: [issuer] };
}

/** The response to that path; undefined for any other path, and when the issuer is not on this machine. */
export function issuerMetadata(
  request: Request,
  issuer = process.env.AUTH_ISSUER ?? '',
): Response | undefined {
  if (new URL(request.url).pathname !== ISSUER_METADATA_PATH || !isLoopback(issuer)) return undefined;
  return Response.json(describeIssuer(issuer), { headers: { 'cache-control': 'no-store' } });
}

/**
 * The page's content security policy, extended by an issuer on this machine. Without one it is the policy of a
 * deployment.
 */
export function allowLocalIssuer(policy: string, issuer = process.env.AUTH_ISSUER ?? ''): string {
  if (!isLoopback(issuer)) return policy;
  return policy.replace(/\bconnect-src 'self'/, `$& ${new URL(issuer).origin}`);
}
