/**
 * From a request to a response: request id, path, CORS, method, handler, headers. In that order, for every route, and
 * the only place that catches.
 */
import { Problem, type Reason } from '../errors.ts';
import { lazy } from '../lazy.ts';
import { log } from '../log.ts';
import { type Stages, serverTiming, startStages } from '../telemetry/stages.ts';
import { callersTraceparent } from '../telemetry/trace-context.ts';
import type { CallTrace } from '../telemetry/tracing.ts';
import type { App, Call, PathParams } from './call.ts';
import { allowOrigin, preflight } from './cors.ts';
import { METHODS, type Method, type Route, type Routes } from './endpoint.ts';
import { problemResponse, toProblem } from './problem-response.ts';

export type RouteEntry = {
  /** Below the base path: `/keys/:provider`. A path that ends in `/*` takes any rest. */
  readonly path: string;
  /** Loads the handler on its first call, so that a cold start pays for its own route only. */
  readonly load: () => Promise<Routes>;
};

export type Handler = (request: Request) => Promise<Response>;

/**
 * Answers requests for the routes of `table` below `basePath`. An unknown path is answered with 404; a method that
 * the route does not have with 405 and `Allow`; OPTIONS is the CORS preflight. `openApp` composes the app on the first
 * request, so that a deployment without its settings answers with a problem document.
 */
export function createRouter(
  openApp: () => Promise<App>,
  table: readonly RouteEntry[],
  basePath: string,
): Handler {
  const patterns = table.map(({ path, load }) => {
    const pattern = basePath + path;
    const isOpen = pattern.endsWith('/*');
    const expected = (isOpen ? pattern.slice(0, -2) : pattern).split('/');
    return { pattern, isOpen, expected, loadHandlers: lazy(async () => toHandlers(await load())) };
  });

  return async (request) => {
    const requestId = crypto.randomUUID();
    const stages = startStages();
    const { pathname } = new URL(request.url);
    const found = findRoute(patterns, pathname);
    let app: App | undefined;
    let trace: CallTrace | undefined;
    let response: Response;
    let reason: Reason | undefined;
    try {
      app = await openApp();
      trace = app.tracing?.begin(request);
      if (found === undefined) throw new Problem('not_found');
      const traceparent = trace?.traceparent ?? callersTraceparent(request.headers);
      const { params, rest } = found;
      response = await answer(found.loadHandlers, {
        app,
        request,
        requestId,
        stages,
        params,
        rest,
        traceparent,
      });
    } catch (error) {
      const problem = toProblem(error, requestId);
      reason = problem.reason;
      response = problemResponse(problem, requestId);
    }
    const method = METHODS.find((known) => known === request.method) ?? 'other';
    const code = response.headers.get('x-userkeys-error');
    const { status } = response;
    const route = found?.pattern ?? 'none';
    trace?.end({ route, method, status, requestId, code, stages: stages.list() });
    if (app?.config.logsEveryCall || code !== null) {
      logCall({ requestId, method, route, status, code, reason, stages });
    }
    return finishResponse(response, { request, requestId, stages }, app?.config.allowedOrigins ?? []);
  };
}

export type FunctionHandlers = Readonly<Record<Method, Handler>>;

/** The handlers of a function file: the platform looks one up by the method of the request. */
export function forEveryMethod(handle: Handler): FunctionHandlers {
  return {
    GET: handle,
    HEAD: handle,
    POST: handle,
    PUT: handle,
    PATCH: handle,
    DELETE: handle,
    OPTIONS: handle,
  };
}

type Handlers = ReadonlyMap<string, Route>;

/** By method. HEAD is answered as GET where a route has no handler of its own for it. */
function toHandlers(routes: Routes): Handlers {
  const methods = METHODS.filter((method) => method !== 'OPTIONS');
  return new Map(
    methods.flatMap((method) => {
      const handle = routes[method] ?? (method === 'HEAD' ? routes.GET : undefined);
      return handle === undefined ? [] : [[method, handle] as const];
    }),
  );
}

async function answer(loadHandlers: () => Promise<Handlers>, call: Call): Promise<Response> {
  const { request, app } = call;
  if (request.method === 'OPTIONS') return preflight(request, app.config.allowedOrigins);
  const handlers = await loadHandlers();
  const handle = handlers.get(request.method);
  if (handle === undefined) {
    const allowed = METHODS.filter((method) => method === 'OPTIONS' || handlers.has(method));
    throw new Problem('method_not_allowed', { headers: { allow: allowed.join(', ') } });
  }
  return handle(call);
}

type Pattern = {
  readonly pattern: string;
  /** Whether the pattern ends in `/*`. */
  readonly isOpen: boolean;
  /** The segments of the pattern, without the `*`. */
  readonly expected: readonly string[];
  readonly loadHandlers: () => Promise<Handlers>;
};
type FoundRoute = Pattern & { readonly params: PathParams; readonly rest: string };

function findRoute(patterns: readonly Pattern[], pathname: string): FoundRoute | undefined {
  const segments = pathname.split('/');
  const closedSegments = pathname.endsWith('/') ? segments.slice(0, -1) : segments;
  for (const entry of patterns) {
    const match = matchPath(entry, entry.isOpen ? segments : closedSegments);
    if (match !== undefined) return { ...entry, ...match };
  }
  return undefined;
}

/**
 * The named segments of `/api/keys/:provider`, percent-decoded; undefined when the path has another form. A pattern
 * that ends in `/*` takes any rest and does not decode it.
 */
function matchPath(
  { isOpen, expected }: Pattern,
  actual: readonly string[],
): { readonly params: PathParams; readonly rest: string } | undefined {
  if (isOpen ? actual.length < expected.length : actual.length !== expected.length) return undefined;
  const params: [string, string][] = [];
  for (const [index, part] of expected.entries()) {
    const segment = actual[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== segment) return undefined;
      continue;
    }
    const decoded = decodeSegment(segment);
    if (!decoded) return undefined;
    params.push([part.slice(1), decoded]);
  }
  const rest = actual.slice(expected.length).map((segment) => `/${segment}`);
  return { params: Object.fromEntries(params), rest: rest.join('') };
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** One line of JSON a call. The route is our own pattern: paths and queries come from the caller and are not logged. */
function logCall(call: {
  readonly requestId: string;
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly code: string | null;
  readonly reason: Reason | undefined;
  readonly stages: Stages;
}): void {
  const { stages, code, reason, ...facts } = call;
  const times = stages.list().map(({ stage, durationMs }) => [`${stage}Ms`, Math.round(durationMs)] as const);
  log({
    level: call.status >= 500 ? 'error' : 'info',
    event: 'call',
    ...facts,
    ...(code === null ? {} : { code, reason }),
    ms: Math.round(stages.elapsedMs()),
    ...Object.fromEntries(times),
  });
}

/** What every response carries. A provider's own `X-Request-Id` stays; ours is then in the other header. */
export function finishResponse(
  response: Response,
  { request, requestId, stages }: Pick<Call, 'request' | 'requestId' | 'stages'>,
  allowedOrigins: readonly string[],
): Response {
  const headers = new Headers(response.headers);
  headers.set('cache-control', 'no-store');
  headers.set('x-content-type-options', 'nosniff');
  headers.set('x-userkeys-request-id', requestId);
  if (!headers.has('x-request-id')) headers.set('x-request-id', requestId);
  const timing = serverTiming(stages.list());
  if (timing !== '') headers.set('server-timing', timing);
  allowOrigin(request, headers, allowedOrigins);
  const body = request.method === 'HEAD' ? null : response.body;
  return new Response(body, { status: response.status, headers });
}
