/**
 * For code that reads `process.env.GEMINI_API_KEY` and cannot be changed yet: it runs as it is and sees the
 * key of the user whose request it serves. docs/legacy.md says what this cannot make safe, and the way off it.
 */
import './node-runtime.ts';

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { VercelRequest, VercelResponse } from '@vercel/node';
import { decideMode } from '../config.ts';
import { Problem } from '../errors.ts';
import { openCallerScope, refuse } from './caller-scope.ts';
import { installScopedEnvironment } from './scoped-environment.ts';
import { serveInScope, whenClosed } from './scoped-exchange.ts';
import { respondInScope } from './scoped-response.ts';

type WebHandler<Rest extends readonly unknown[]> = (
  request: Request,
  ...rest: Rest
) => Response | Promise<Response>;

type NodeHandler = (request: VercelRequest, response: VercelResponse) => unknown;

/** Fetch standard, section 2.2.1: no `Request` has one of these methods. Node serves TRACE. */
const FORBIDDEN_METHODS = new Set(['CONNECT', 'TRACE', 'TRACK']);
const ALLOW = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

// At import, so that what is imported after this module takes nothing but the view out of `process`.
if (decideMode(process.env) === 'production') installScopedEnvironment();

/**
 * Wraps a handler of either Vercel signature. In production it verifies the caller, fetches their keys in one
 * KV request, and runs the handler in a scope: every credential variable of the catalogue reads as the
 * caller's own key, or `undefined` where they have none (or it does not open), whatever the operator's
 * environment holds. The scope ends with the answer's last byte. In local mode it gives the handler as it is.
 *
 * A caller who is not verified is answered with the problem document that the other routes give (401, 429,
 * 503), and the handler does not run; TRACE, TRACK and CONNECT are answered with 405. A CORS preflight, which
 * carries no token, is answered for `ALLOWED_ORIGINS`.
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
    if (decideMode(process.env) === 'local') return handle();
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
  const request = describeRequest(incoming, isForbidden ? 'GET' : method);
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

/** The parts of a request that verification reads: the method and the headers. */
function describeRequest({ headersDistinct }: IncomingMessage, method: string): Request {
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
