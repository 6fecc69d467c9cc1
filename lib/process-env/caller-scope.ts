/** Verifies the caller of a legacy handler and opens the keys for its environment scope. */
import { waitUntil } from '@vercel/functions';
import { app } from '../app.ts';
import { Problem } from '../errors.ts';
import { preflight } from '../http/cors.ts';
import { problemResponse, toProblem } from '../http/problem-response.ts';
import { finishResponse } from '../http/router.ts';
import { openCodeScope } from '../keys/code-scope.ts';
import type { KeyScope } from '../keys/key-scope.ts';
import { log } from '../log.ts';
import { catalogue, type ProviderId } from '../providers/catalogue.ts';
import { credentialVariables } from '../providers/credential.ts';
import type { Secret } from '../secret.ts';
import { OWN_SECRET_VARIABLES, SHARED_SECRET_VARIABLES } from '../secret-variables.ts';
import { startStages } from '../telemetry/stages.ts';
import type { ScopeKeys } from './environment-scope.ts';

const covered: ReadonlySet<string> = new Set([...credentialVariables, ...OWN_SECRET_VARIABLES]);
const hidden: ReadonlySet<string> = new Set(SHARED_SECRET_VARIABLES);

/**
 * Verifies the caller and opens all of their keys in one KV request, because code that reads `process.env` cannot wait
 * for a key. Returns a response instead if the caller cannot be verified or the request is a CORS preflight. When the
 * scope ends, only the keys whose variables were read count as used.
 */
export async function openCallerScope(request: Request): Promise<ScopeKeys | Response> {
  try {
    const { authenticate, openJournal, openKeys, config } = await app();
    if (isPreflight(request)) {
      const { allowedOrigins } = config;
      const call = { request, requestId: crypto.randomUUID(), stages: startStages() };
      return finishResponse(preflight(request, allowedOrigins), call, allowedOrigins);
    }
    const { keys, end } = await openCodeScope({ openJournal, openKeys }, await authenticate(request));
    const opened = await openAll(keys).catch((error: unknown) => {
      end('internal');
      throw error;
    });
    const scopeEnd = Promise.withResolvers<ReadonlySet<string>>();
    const ended = scopeEnd.promise.then((read) => {
      for (const { id, variables } of catalogue) {
        if (!variables.some((variable) => read.has(variable))) keys.release(id);
      }
      end('ok');
    });
    // A Node response closes after the platform considers it finished, so the platform must wait for the final writes.
    // They start in the context of this request, wherever the scope is ended: only there `waitUntil` has an effect.
    waitUntil(ended);
    return { covered, hidden, keys: opened, onEnd: scopeEnd.resolve };
  } catch (error) {
    return refuse(error, request);
  }
}

/** The same problem document as on other routes, with CORS headers for `ALLOWED_ORIGINS`. */
export async function refuse(error: unknown, request: Request): Promise<Response> {
  const requestId = crypto.randomUUID();
  const response = problemResponse(toProblem(error, requestId), requestId);
  const allowedOrigins = await app().then(
    ({ config }) => config.allowedOrigins,
    () => [],
  );
  return finishResponse(response, { request, requestId, stages: startStages() }, allowedOrigins);
}

async function openAll(keys: KeyScope): Promise<ReadonlyMap<string, Secret>> {
  const variables = await Promise.all(
    catalogue.map(async ({ id, variables }) => {
      const key = await getUnrestricted(keys, id).catch(skipUnusable);
      return key === undefined ? [] : variables.map((variable) => [variable, key] as const);
    }),
  );
  return new Map(variables.flat());
}

/** Code in a scope can call any model, so a key that is restricted to some models is withheld. */
async function getUnrestricted(keys: KeyScope, provider: ProviderId): Promise<Secret> {
  if (keys.allowedModels(provider) === undefined) return keys.get(provider);
  throw new Problem('model_not_allowed', { reason: 'models_not_enforceable', members: { provider } });
}

/** A key that is missing, does not open or is refused by a guard reads as undefined. The other keys stay available. */
function skipUnusable(error: unknown): undefined {
  if (!(error instanceof Problem)) throw error;
  if (error.code === 'key_missing') return;
  log({ level: 'warn', event: error.code, reason: error.reason, ...error.members });
}

/** Fetch standard, section 3.3.2. Any other OPTIONS request needs a token. */
function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
}
