import { z } from 'zod';
import type { WebHandler } from '../http/create-web-server.ts';
import { isLoopback } from '../http/is-loopback.ts';

type IssuerParts = {
  readonly users: readonly string[];
  readonly jwks: { readonly keys: readonly object[] };
  readonly sign: (sub: string) => Promise<string>;
  readonly url: () => string;
};

const TokenRequest = z.object({ user: z.string() });

/**
 * The routes of the development issuer:
 * `GET /.well-known/jwks.json`, `GET /.well-known/openid-configuration`,
 * `POST /token` `{"user": "alice"}` → `{"token": "…"}`, and `GET /token?user=alice` → the token as text.
 *
 * Pages served from this machine may read the responses (CORS). Pages of other sites may not, not even when their
 * name resolves to 127.0.0.1, because a foreign `Host` is refused.
 */
export function issuerRoutes(parts: IssuerParts): WebHandler {
  return async (request) => {
    const url = new URL(request.url);
    if (!isLoopback(request.url)) return text(421, 'This issuer answers only on loopback.');
    const response = request.method === 'OPTIONS' ? preflight() : await route(parts, request, url);
    return allowOrigin(request.headers.get('origin'), response);
  };
}

async function route(parts: IssuerParts, request: Request, url: URL): Promise<Response> {
  const reading = request.method === 'GET' || request.method === 'HEAD';
  if (url.pathname === '/.well-known/jwks.json' && reading) return json(200, parts.jwks);
  if (url.pathname === '/.well-known/openid-configuration' && reading) {
    return json(200, { issuer: parts.url(), jwks_uri: `${parts.url()}/.well-known/jwks.json` });
  }
  if (url.pathname === '/token' && reading) {
    const user = url.searchParams.get('user');
    return user !== null && parts.users.includes(user)
      ? text(200, await parts.sign(user))
      : text(404, `No such user. Ask for one of: ${parts.users.join(', ')}`);
  }
  if (url.pathname === '/token' && request.method === 'POST') {
    const parsed = TokenRequest.safeParse(await request.json().catch(() => undefined));
    return parsed.success && parts.users.includes(parsed.data.user)
      ? json(200, { token: await parts.sign(parsed.data.user) })
      : json(404, { error: 'no_such_user', users: parts.users });
  }
  return text(404, 'The addresses here are /.well-known/jwks.json and /token?user=alice.');
}

function preflight(): Response {
  return new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'content-type',
    },
  });
}

function allowOrigin(origin: string | null, response: Response): Response {
  response.headers.set('vary', 'Origin');
  if (origin !== null && isLoopback(origin)) response.headers.set('access-control-allow-origin', origin);
  return response;
}

const noStore = { 'cache-control': 'no-store' };

function json(status: number, value: unknown): Response {
  return Response.json(value, { status, headers: noStore });
}

function text(status: number, value: string): Response {
  return new Response(`${value}\n`, {
    status,
    headers: { ...noStore, 'content-type': 'text/plain; charset=utf-8' },
  });
}
