/** The wrappers of handlers: authentication, then query and body, then the handler, then the journal. */
import type { ZodType } from 'zod';
import type { AuditAction } from '../audit/audit-entry.ts';
import { Problem, refusalCode, toPublicProblem } from '../errors.ts';
import { emptyQuery } from '../kv/query.ts';
import { MAX_JSON_BYTES } from '../limits.ts';
import { findProvider, type Provider } from '../providers/catalogue.ts';
import type { App, Call, PathParams, UserCall } from './call.ts';
import { parseInput, readJson } from './json.ts';

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export type Method = (typeof METHODS)[number];

/** One method of a route, made by `publicRoute` or `userRoute`. */
export type Route = (call: Call) => Promise<Response>;

/** The methods of one route, as a module of lib/handlers/ exports them. */
export type Routes = { readonly [method in Exclude<Method, 'OPTIONS'>]?: Route };

/** A route that anybody may call. */
export function publicRoute(handle: (call: Call) => Response | Promise<Response>): Route {
  return async (call) => handle(call);
}

type UserRouteInput<Body, Query> = {
  readonly body?: ZodType<Body>;
  readonly maxBodyBytes?: number;
  readonly query?: ZodType<Query>;
  /** The header in which the provider's SDK sends its key, which may hold the session token instead. */
  readonly tokenHeader?: (params: PathParams) => string | undefined;
  /** The action in the user's audit log. Without one the call is not in the log. */
  readonly audit?: AuditAction;
};

/** A route for a verified user. Query and body are parsed after the caller is known. */
export function userRoute<Body = undefined, Query = undefined>(
  input: UserRouteInput<Body, Query>,
  handle: (call: UserCall<Body, Query>) => Promise<Response>,
): Route {
  return async (call) => {
    const { request, requestId, stages, params } = call;
    const { app, isCounted } = countingApp(call.app);
    const user = await stages.time('verify', () => app.authenticate(request, input.tokenHeader?.(params)));
    const journal = await app.openJournal({ user, requestId, stages, action: input.audit });
    const provider = findProvider(params.provider ?? '');
    if (provider !== undefined) journal.note({ provider: provider.id });
    try {
      const response = await parseRequest(request, input)
        .then(({ query, body }) => handle({ ...call, app, user, journal, query, body }))
        .catch(async (error: unknown) => {
          // Every call of a verified user counts once. Most are counted in the KV request that begins their work.
          if (!isCounted()) await app.admit(user, emptyQuery);
          throw error;
        });
      journal.end({ status: response.status, outcome: outcomeOf(response) });
      return response;
    } catch (error) {
      const { status, code } = toPublicProblem(error);
      journal.end({ status, outcome: code });
      throw error;
    }
  };
}

/** The app, and whether it has been asked to count this call. */
function countingApp(app: App): { readonly app: App; readonly isCounted: () => boolean } {
  let counted = false;
  const count = () => {
    counted = true;
    return app;
  };
  const counting: App = {
    ...app,
    admit: (user, query) => count().admit(user, query),
    admitWrite: (user, write) => count().admitWrite(user, write),
    openKeys: (user, providers, use) => count().openKeys(user, providers, use),
  };
  return { app: counting, isCounted: () => counted };
}

/** The outcome for the audit log. A forwarded provider error gets the code that our own routes would return. */
function outcomeOf({ status }: Response): string {
  return status < 400 ? 'ok' : refusalCode(status);
}

async function parseRequest<Body, Query>(
  request: Request,
  input: UserRouteInput<Body, Query>,
): Promise<{ readonly query: Query; readonly body: Body }> {
  // Without a schema the type is `undefined`, by the default of the type parameter.
  const query =
    input.query === undefined
      ? (undefined as Query)
      : parseInput(Object.fromEntries(new URL(request.url).searchParams), input.query);
  const body =
    input.body === undefined
      ? (undefined as Body)
      : await readJson(request, input.body, input.maxBodyBytes ?? MAX_JSON_BYTES);
  return { query, body };
}

/** The provider that a path names, or Problem `unknown_provider`. */
export function requireProvider(id: string | undefined): Provider {
  const provider = findProvider(id ?? '');
  if (provider === undefined) throw new Problem('unknown_provider');
  return provider;
}
