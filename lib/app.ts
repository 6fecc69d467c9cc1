/**
 * The app of this deployment, on Node: composed from the environment on the first request and kept while the
 * instance is warm. What is kept are settings, public keys, master keys and sockets; never a user's key.
 */
import { waitUntil } from '@vercel/functions';
import { type App, composeApp, type Runtime } from './compose.ts';
import { ConfigError, loadConfig } from './config.ts';
import { Problem } from './errors.ts';
import { createEndpoint } from './http/endpoint.ts';
import type { UserId } from './identity/user-id.ts';
import { log } from './log.ts';
import { createUndiciSend } from './outgoing/undici-send.ts';
import { providerIds } from './providers/catalogue.ts';
import type { UserKeys } from './user-keys.ts';
import { unwrapWithKms } from './vault/kms.ts';

/** A burst of calls waits for a KV connection instead of opening one each: KV answers in a millisecond or two. */
const KV_CONNECTIONS = 64;

const RUNTIME: Runtime = {
  send: createUndiciSend(),
  sendToKv: createUndiciSend({ connections: KV_CONNECTIONS }),
  after: waitUntil,
  unwrapKeys: unwrapWithKms,
};

let composed: Promise<App> | undefined;

/**
 * The composed app.
 *
 * @throws Problem `not_configured`, naming the variables that are missing or malformed, never their values.
 */
export function app(): Promise<App> {
  composed ??= compose().catch((error: unknown) => {
    composed = undefined;
    throw error;
  });
  return composed;
}

async function compose(): Promise<App> {
  try {
    const config = loadConfig();
    const { localFiles } = config;
    // Only where it is used: production does not even load what can write a file.
    const localKeys = localFiles && (await import('./local/local-keys.ts')).createLocalKeys(localFiles);
    const tracing = config.isTraced ? (await import('./telemetry/tracing.ts')).startTracing() : undefined;
    return await composeApp(config, { ...RUNTIME, localKeys, tracing });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log({ level: 'error', event: 'not_configured', detail: error.message });
    throw new Problem('not_configured', { detail: error.message });
  }
}

/** The handlers of one function file. */
export const endpoint = createEndpoint(app);

/**
 * Who is calling, verified, for functions of one's own.
 *
 * @throws Problem with 401 or 503.
 */
export async function authenticate(request: Request): Promise<UserId> {
  return (await app()).authenticate(request);
}

/**
 * Runs `fn` with this user's own keys: `keys.get('gemini')` gives a `Secret` or throws `key_missing`. After `fn`
 * has settled the scope is closed. Counts as one call of the user's.
 */
export async function withUserKeys<T>(user: UserId, fn: (keys: UserKeys) => T | Promise<T>): Promise<T> {
  return (await app()).useKeys(user, providerIds, fn);
}
