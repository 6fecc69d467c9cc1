/** The caller of a legacy handler, and the environment scope with their keys. */
import { waitUntil } from '@vercel/functions';
import { app } from '../app.ts';
import { Problem } from '../errors.ts';
import { allowOrigin, preflight } from '../http/cors.ts';
import { problemResponse, toProblem } from '../http/problem-response.ts';
import { openCodeScope } from '../keys/code-scope.ts';
import type { KeyScope } from '../keys/key-scope.ts';
import { log } from '../log.ts';
import { catalogue } from '../providers/catalogue.ts';
import { credentialVariables } from '../providers/credential.ts';
import type { Secret } from '../secret.ts';
import type { ScopeKeys } from './environment-scope.ts';

/**
 * Verifies the caller and opens all of their keys in one KV request: code that reads `process.env` cannot wait for a
 * key. A caller who is not verified gets the answer that every other route gives, and a CORS preflight is answered.
 * When the scope ends, the keys whose variables were read are recorded as used, and no others.
 */
export async function openCallerScope(request: Request): Promise<ScopeKeys | Response> {
  try {
    const { authenticate, openJournal, openKeys, config } = await app();
    if (isPreflight(request)) return preflight(request, config.allowedOrigins);
    const { keys, end } = await openCodeScope({ openJournal, openKeys }, await authenticate(request));
    const opened = await openAll(keys).catch((error: unknown) => {
      end('internal');
      throw error;
    });
    const ended = Promise.withResolvers<void>();
    // A Node response closes after the platform has seen its end, so the platform must wait for what is recorded then.
    waitUntil(ended.promise);
    return {
      covered: credentialVariables,
      keys: opened,
      onEnd(read) {
        for (const { id, variables } of catalogue) {
          if (!variables.some((variable) => read.has(variable))) keys.release(id);
        }
        end('ok');
        ended.resolve();
      },
    };
  } catch (error) {
    return refuse(error, request);
  }
}

/** The problem document that every other route gives, readable by the pages of `ALLOWED_ORIGINS`. */
export async function refuse(error: unknown, request: Request): Promise<Response> {
  const requestId = crypto.randomUUID();
  const response = problemResponse(toProblem(error, requestId), requestId);
  response.headers.set('cache-control', 'no-store');
  response.headers.set('x-request-id', requestId);
  response.headers.set('x-userkeys-request-id', requestId);
  const allowedOrigins = await app().then(
    ({ config }) => config.allowedOrigins,
    () => [],
  );
  allowOrigin(request, response.headers, allowedOrigins);
  return response;
}

async function openAll(keys: KeyScope): Promise<ReadonlyMap<string, Secret>> {
  const variables = await Promise.all(
    catalogue.map(async ({ id, variables }) => {
      const key = await keys.get(id).catch(skipUnusable);
      return key === undefined ? [] : variables.map((variable) => [variable, key] as const);
    }),
  );
  return new Map(variables.flat());
}

/** A key that is missing, does not open or is held back by a guard reads as undefined and does not hide the others. */
function skipUnusable(error: unknown): undefined {
  if (!(error instanceof Problem)) throw error;
  if (error.code === 'key_missing') return;
  log({ level: 'warn', event: error.code, reason: error.reason, ...error.members });
}

/** Fetch standard, section 3.3.2. Any other OPTIONS request needs a token like every request. */
function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
}
