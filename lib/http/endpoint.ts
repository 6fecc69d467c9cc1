/**
 * A function file's handlers: request id, CORS, method, authentication, path and body, action, response.
 * In that order, for every route, and the only place that catches.
 */
import type { ZodType } from 'zod';
import type { AuditAction } from '../audit/audit-entry.ts';
import type { Journal, OpenJournal } from '../audit/journal.ts';
import { JSON_MAX_BYTES } from '../limits.ts';
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import { describeOrigin, log } from '../log.ts';
import { findProvider } from '../providers/catalogue.ts';
import { refusalCode } from '../providers/provider-refusal.ts';
import { beginStages, type Stages, serverTiming } from '../telemetry/stages.ts';
import { callersTraceparent } from '../telemetry/trace-context.ts';
import type { CallTrace, Tracing } from '../telemetry/tracing.ts';
import { allowOrigin, preflight } from './cors.ts';
import { conform, readJson } from './json.ts';
import { matchPath } from './path.ts';
import { problemResponse } from './problem-response.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
type Method = (typeof METHODS)[number];

type Params = Readonly<Record<string, string>>;

export type Call = {
  readonly request: Request;
  readonly requestId: string;
  readonly params: Params;
  readonly stages: Stages;
  /** The trace this call belongs to, for those it is passed on to. */
  readonly traceparent: string | undefined;
};
export type UserCall<Body, Query> = Call & {
  readonly user: UserId;
  /** Written after the response; what an action knows of the call, it notes there. */
  readonly journal: Journal;
  readonly body: Body;
  readonly query: Query;
};

export type Gate = {
  readonly allowedOrigins: readonly string[];
  /** The caller, from the token in `tokenHeader` or the bearer header. Throws a 401 or 503 Problem. */
  authenticate(request: Request, tokenHeader?: string): Promise<UserId>;
  /**
   * Counts a call that is refused for its form; the others are counted by what they ask KV for. Throws Problem
   * `rate_limited`.
   */
  countRefused(user: UserId): Promise<void>;
  readonly openJournal: OpenJournal;
  /** Otherwise only calls that were refused or failed get a line in the log. */
  readonly logsEveryCall: boolean;
  /** Where OpenTelemetry is configured. */
  readonly tracing?: Tracing | undefined;
};

/** One method of an endpoint, made by `publicRoute` or `route`. */
export type Route = (gate: Gate, call: Call) => Promise<Response>;
export type Handler = (request: Request) => Promise<Response>;

/** A route that anybody may call. */
export function publicRoute(action: (call: Call) => Response | Promise<Response>): Route {
  return async (_gate, call) => action(call);
}

type RouteInput<Body, Query> = {
  readonly body?: ZodType<Body>;
  readonly maxBodyBytes?: number;
  readonly query?: ZodType<Query>;
  /** The header in which the SDK behind this path puts its key, so perhaps the token. */
  readonly tokenHeader?: (params: Params) => string | undefined;
  /** What the user's audit log calls it. Without one it is not in there, whatever becomes of it. */
  readonly audit?: AuditAction;
};

/** A route for a verified user. Body and query are parsed after the caller is known. */
export function route<Body = undefined, Query = undefined>(
  input: RouteInput<Body, Query>,
  action: (call: UserCall<Body, Query>) => Promise<Response>,
): Route {
  return async (gate, call) => {
    const { request, requestId, stages } = call;
    const user = await stages.time('verify', () =>
      gate.authenticate(request, input.tokenHeader?.(call.params)),
    );
    const journal = gate.openJournal({ user, requestId, stages, action: input.audit });
    const provider = findProvider(call.params.provider ?? '');
    if (provider !== undefined) journal.note({ provider: provider.id });
    try {
      const { query, body } = await parseInput(request, input).catch(async (error: unknown) => {
        await gate.countRefused(user);
        throw error;
      });
      const response = await action({ ...call, user, body, query, journal });
      journal.end({ status: response.status, outcome: outcomeOf(response) });
      return response;
    } catch (error) {
      const { status, code } = error instanceof Problem ? error : new Problem('internal');
      journal.end({ status, outcome: code });
      throw error;
    }
  };
}

/** A provider's own refusal, passed on as it is, goes by the name it would have on a route of ours. */
function outcomeOf({ status }: Response): string {
  return status < 400 ? 'ok' : refusalCode(status);
}

async function parseInput<Body, Query>(
  request: Request,
  input: RouteInput<Body, Query>,
): Promise<{ readonly query: Query; readonly body: Body }> {
  return { query: parseQuery(request, input.query), body: await parseBody(request, input) };
}

async function parseBody<Body, Query>(request: Request, input: RouteInput<Body, Query>): Promise<Body> {
  // Without a schema `Body` is `undefined`, by the default of the type parameter.
  if (input.body === undefined) return undefined as Body;
  return readJson(request, input.body, input.maxBodyBytes ?? JSON_MAX_BYTES);
}

function parseQuery<Query>(request: Request, schema: ZodType<Query> | undefined): Query {
  if (schema === undefined) return undefined as Query;
  return conform(Object.fromEntries(new URL(request.url).searchParams), schema);
}

/**
 * Handlers for every method, as the function file exports them. A method without a route is answered with 405
 * and `Allow`; OPTIONS is the CORS preflight. `open` composes the app on the first request, so that a
 * deployment without its settings answers with a problem instead of dying.
 */
export function createEndpoint(open: () => Promise<Gate>) {
  return (pattern: string, routes: Partial<Record<Method, Route>>): Record<Method, Handler> => {
    const handle: Handler = async (request) => {
      const requestId = crypto.randomUUID();
      const stages = beginStages();
      let gate: Gate | undefined;
      let trace: CallTrace | undefined;
      let response: Response;
      try {
        gate = await open();
        trace = gate.tracing?.begin(request);
        const traceparent = trace?.traceparent ?? callersTraceparent(request.headers);
        response = await answer(gate, pattern, routes, { request, requestId, stages, traceparent });
      } catch (error) {
        response = problemResponse(toProblem(error, requestId), requestId);
      }
      const { status, headers } = response;
      const method = METHODS.find((known) => known === request.method) ?? 'other';
      const code = headers.get('x-userkeys-error');
      trace?.end({ route: pattern, method, status, requestId, code, stages: stages.list() });
      if (gate?.logsEveryCall || code !== null) {
        logCall({ requestId, method, route: pattern, status, code, stages });
      }
      return finish(response, { request, requestId, stages }, gate?.allowedOrigins ?? []);
    };
    return {
      GET: handle,
      HEAD: handle,
      POST: handle,
      PUT: handle,
      PATCH: handle,
      DELETE: handle,
      OPTIONS: handle,
    };
  };
}

async function answer(
  gate: Gate,
  pattern: string,
  routes: Partial<Record<Method, Route>>,
  call: Omit<Call, 'params'>,
): Promise<Response> {
  const { request } = call;
  const params = matchPath(pattern, new URL(request.url).pathname);
  if (params === undefined) throw new Problem('not_found');
  if (request.method === 'OPTIONS') return preflight(request, gate.allowedOrigins);
  const method = METHODS.find((name) => name === request.method);
  const wanted = method === 'HEAD' ? (routes.HEAD ?? routes.GET) : method && routes[method];
  if (wanted === undefined) {
    const allow = [...Object.keys(routes), ...(routes.GET ? ['HEAD'] : []), 'OPTIONS'];
    throw new Problem('method_not_allowed', { headers: { allow: [...new Set(allow)].join(', ') } });
  }
  return wanted(gate, { ...call, params });
}

/** One line of JSON a call. The route is our own pattern: paths and queries are the caller's, and stay out. */
function logCall(call: {
  readonly requestId: string;
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly code: string | null;
  readonly stages: Stages;
}): void {
  const { stages, code, ...facts } = call;
  const times = stages.list().map(({ stage, durationMs }) => [`${stage}Ms`, Math.round(durationMs)] as const);
  const level = call.status >= 500 ? 'error' : 'info';
  log({
    level,
    event: 'call',
    ...facts,
    ...(code === null ? {} : { code }),
    ms: Math.round(stages.elapsedMs()),
    ...Object.fromEntries(times),
  });
}

function toProblem(error: unknown, requestId: string): Problem {
  if (error instanceof Problem) return error;
  log({ level: 'error', event: 'unexpected_error', requestId, ...describeOrigin(error) });
  return new Problem('internal');
}

/** What every response carries. A provider's own `X-Request-Id` stays; ours is then the other header. */
function finish(
  response: Response,
  { request, requestId, stages }: Pick<Call, 'request' | 'requestId' | 'stages'>,
  allowedOrigins: readonly string[],
): Response {
  const headers = new Headers(response.headers);
  headers.set('cache-control', 'no-store');
  headers.set('x-userkeys-request-id', requestId);
  if (!headers.has('x-request-id')) headers.set('x-request-id', requestId);
  const timing = serverTiming(stages.list());
  if (timing !== '') headers.set('server-timing', timing);
  allowOrigin(request, headers, allowedOrigins);
  const body = request.method === 'HEAD' ? null : response.body;
  return new Response(body, { status: response.status, headers });
}
