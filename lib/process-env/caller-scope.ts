/** Who calls, and the keys that their scope answers with. */
import { waitUntil } from '@vercel/functions';
import { app } from '../app.ts';
import { Problem } from '../errors.ts';
import { preflight } from '../http/cors.ts';
import { log } from '../log.ts';
import { catalogue, providerIds } from '../providers/catalogue.ts';
import { credentialVariables } from '../providers/credential-variables.ts';
import type { Secret } from '../secret.ts';
import type { UserKeys } from '../user-keys.ts';
import type { ScopeKeys } from './environment-scope.ts';

/**
 * Verifies the caller and opens all of their keys, in one KV request; what is read from an environment has to
 * be there already. A preflight gives its answer instead. What was used is written down when the scope ends: the
 * keys that its code has read, and no others.
 *
 * @throws Problem with 401, 429, 500 or 503.
 */
export async function openKeysOf(request: Request): Promise<ScopeKeys | Response> {
  const { authenticate, useKeys, allowedOrigins } = await app();
  if (isPreflight(request)) return preflight(request, allowedOrigins);
  const user = await authenticate(request);
  return new Promise((resolve, reject) => {
    const use = useKeys(user, providerIds, async (keys) => {
      const opened = await openAll(keys);
      const read = await new Promise<ReadonlySet<string>>((onEnd) => {
        resolve({ covered: credentialVariables, keys: opened, onEnd });
      });
      for (const { id, variables } of catalogue) {
        if (!variables.some((variable) => read.has(variable))) keys.giveBack(id);
      }
    });
    // A Node response closes after the platform has seen its end; it waits for what is written then.
    waitUntil(use.catch(reject));
  });
}

async function openAll(keys: UserKeys): Promise<ReadonlyMap<string, Secret>> {
  const variables = await Promise.all(
    catalogue.map(async (provider) => {
      const key = await keys.get(provider.id).catch(withoutKey);
      return key === undefined ? [] : provider.variables.map((variable) => [variable, key] as const);
    }),
  );
  return new Map(variables.flat());
}

/** A key that is missing or does not open reads as undefined, and does not hide the others. */
function withoutKey(error: unknown): undefined {
  if (!(error instanceof Problem)) throw error;
  if (error.code !== 'key_missing') log({ level: 'warn', event: error.code, ...error.members });
}

/** Fetch standard, section 3.3.2. Any other OPTIONS request needs a token like every request. */
function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
}
