/**
 * Runs code that reads `process.env.GEMINI_API_KEY` unchanged, with the key of the user whose request it serves.
 * docs/legacy.md describes the limits of this approach and how to migrate from it.
 */
import './node-runtime.ts';

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { VercelRequest, VercelResponse } from '@vercel/node';
import { Problem } from '../errors.ts';
import { openCallerScope, refuse } from './caller-scope.ts';
import { respondInScope, serveInScope, whenClosed } from './handler-scope.ts';
import { installScopedEnvironment } from './scoped-environment.ts';

type WebHandler<Rest extends readonly unknown[]> = (
  request: Request,
  ...rest: Rest
) => Response | Promise<Response>;

type NodeHandler = (request: VercelRequest, response: VercelResponse) => unknown;

/** Fetch standard, section 2.2.1: a `Request` cannot have these methods. Node accepts TRACE. */
const FORBIDDEN_METHODS = new Set(['CONNECT', 'TRACE', 'TRACK']);
const ALLOW = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

// At import, so that modules imported later only see the wrapped `process.env`.
installScopedEnvironment();

/**
 * Wraps a handler of either Vercel signature. It verifies the caller, fetches their keys in one KV request, and runs the
 * handler in a scope: every credential variable of the catalogue reads as the caller's own key, or `undefined` if they
 * have no usable key. The operator's environment never shows through. The scope ends with the last byte of the response.
 * Local mode differs only in that a key in `.env` comes before a stored one.
 *
 * If the caller cannot be verified, the handler does not run and the response is the same problem document as on other
 * routes (401, 429, 503). TRACE, TRACK and CONNECT get 405. A CORS preflight, which carries no token, is answered for
 * `ALLOWED_ORIGINS`.
 */
export function withUserEnv<Rest extends readonly unknown[]>(
  handler: WebHandler<Rest>,
): (request: Request, ...rest: Rest) => Promise<Response>;
export function withUserEnv(
  handler: NodeHandler,
): (request: VercelRequest, response: VercelResponse) => Promise<unknown>;
export function withUserEnv<Args extends readonly unknown[]>(handler: (...args: Args) => unknown) {
  return async (...args: Args): Promise<unknown> => {
    const handle = () => handler(...args);
    const [request, response] = args;
    if (request instanceof Request) return answer(request, handle);
    if (isIncomingMessage(request) && isServerResponse(response)) return serve(request, response, handle);
    throw new TypeError(
      'withUserEnv wraps (Request) => Response or (VercelRequest, VercelResponse) handlers.',
    );
  };
}

async function answer<T>(request: Request, handle: () => T): Promise<Awaited<T> | Response> {
  const keys = await openCallerScope(request);
  if (keys instanceof Response) return keys;
  return respondInScope(installScopedEnvironment().open(keys), handle);
}

async function serve<T>(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  handle: () => T,
): Promise<Awaited<T> | undefined> {
  const closed = whenClosed(outgoing);
  const { method = 'GET' } = incoming;
  const isForbidden = FORBIDDEN_METHODS.has(method.toUpperCase());
  const request = toWebRequest(incoming, isForbidden ? 'GET' : method);
  const keys = isForbidden
    ? await refuse(new Problem('method_not_allowed', { headers: { allow: ALLOW } }), request)
    : await openCallerScope(request);
  if (keys instanceof Response) return writeResponse(keys, outgoing);
  return serveInScope(installScopedEnvironment().open(keys), incoming, outgoing, closed, handle);
}

async function writeResponse(response: Response, outgoing: ServerResponse): Promise<undefined> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(await response.text());
}

/** A `Request` with the method and headers, which is all that verification reads. */
function toWebRequest({ headersDistinct }: IncomingMessage, method: string): Request {
  const headers = new Headers();
  for (const [name, values] of Object.entries(headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  return new Request('http://function.invalid/', { method, headers });
}

function isIncomingMessage(value: unknown): value is IncomingMessage {
  return typeof value === 'object' && value !== null && 'headersDistinct' in value && 'on' in value;
}

function isServerResponse(value: unknown): value is ServerResponse {
  return typeof value === 'object' && value !== null && 'writeHead' in value && 'on' in value;
}
