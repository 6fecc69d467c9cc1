/**
 * The app of this deployment, on Node: composed from the environment on the first request and kept while the instance
 * is warm. What is kept are settings, public keys, master keys and sockets, never a user's key.
 */
import { waitUntil } from '@vercel/functions';
import { composeApp } from './compose.ts';
import { loadConfig } from './config.ts';
import type { App } from './http/call.ts';
import type { Routes } from './http/endpoint.ts';
import { createRouter, type FunctionHandlers, forEveryMethod } from './http/router.ts';
import type { UserId } from './identity/user-id.ts';
import type { KeyScope } from './keys/key-scope.ts';
import { lazy } from './lazy.ts';
import { MAX_KV_CONNECTIONS } from './limits.ts';
import type { Send } from './outgoing/send.ts';
import type { ImportMasterKey } from './vault/cipher.ts';
import type { UnwrapKeys } from './vault/wrapped-keys.ts';

/** Where lib/routes.ts begins. */
export const BASE_PATH = '/api';

/**
 * The composed app.
 *
 * @throws ConfigError naming the variables that are missing or malformed, never their values.
 */
export const app: () => Promise<App> = lazy(async () => {
  const config = loadConfig();
  const { localFiles } = config;
  // Production does not even load the code that can write a file.
  const localKeys = localFiles && (await import('./local/local-keys.ts')).createLocalKeys(localFiles);
  const tracing = config.isTraced ? (await import('./telemetry/tracing.ts')).startTracing() : undefined;
  return composeApp(config, {
    send: lazySend({}),
    sendToKv: lazySend({ connections: MAX_KV_CONNECTIONS }),
    after: waitUntil,
    basePath: BASE_PATH,
    unwrapKeys,
    importMasterKey,
    localKeys,
    tracing,
  });
});

/** Loads the HTTP client with the first request that goes out. */
function lazySend(pool: { readonly connections?: number }): Send {
  const load = lazy(async () => (await import('./outgoing/undici-send.ts')).createUndiciSend(pool));
  return async (request) => (await load())(request);
}

const unwrapKeys: UnwrapKeys = async (wrapped) => (await import('./vault/kms.ts')).unwrapWithKms(wrapped);

const importMasterKey: ImportMasterKey = async (bytes) =>
  (await import('./vault/node-cipher.ts')).importMasterKey(bytes);

/** The handlers of a function of one's own, at this path. */
export function serveRoute(path: string, methods: Routes): FunctionHandlers {
  return forEveryMethod(createRouter(app, [{ path, load: async () => methods }], ''));
}

/**
 * The verified caller, for functions of one's own.
 *
 * @throws Problem with status 401 or 503; ConfigError where the deployment misses a setting.
 */
export async function authenticate(request: Request): Promise<UserId> {
  return (await app()).authenticate(request);
}

/**
 * Runs `run` with this user's own keys: `keys.get('gemini')` gives a `Secret` or throws `key_missing`. The keys can be
 * used until `run` has settled. Counts as one call of the user's.
 */
export async function withUserKeys<T>(user: UserId, run: (keys: KeyScope) => T | Promise<T>): Promise<T> {
  const { runWithKeys } = await import('./keys/code-scope.ts');
  return runWithKeys(await app(), user, run);
}
