/** Who calls, and the keys that their scope answers with. */
import { app } from '../app.ts';
import { Problem } from '../errors.ts';
import { preflight } from '../http/cors.ts';
import { log } from '../log.ts';
import { catalogue, providerIds } from '../providers/catalogue.ts';
import type { Secret } from '../secret.ts';
import type { UserKeys } from '../user-keys.ts';
import type { ScopeKeys } from './environment-scope.ts';

/**
 * Other credentials that the catalogue's providers' SDKs fall back to. They are the operator's, so in a scope
 * nobody has them. Addresses and headers (`*_BASE_URL`, `*_CUSTOM_HEADERS`) are settings, and stay.
 */
const WITHHELD = [
  'ANTHROPIC_AUTH_TOKEN',
  'ANTHROPIC_IDENTITY_TOKEN',
  'ANTHROPIC_IDENTITY_TOKEN_FILE',
  'ANTHROPIC_PROFILE',
  'OPENAI_ADMIN_KEY',
  'HUGGING_FACE_HUB_TOKEN',
  'HUGGINGFACEHUB_API_KEY',
  'HUGGINGFACEHUB_API_TOKEN',
  'TOGETHER_AI_API_KEY',
];

const COVERED: ReadonlySet<string> = new Set([
  ...catalogue.flatMap(({ variables }) => variables),
  ...WITHHELD,
]);

/**
 * Verifies the caller and opens all of their keys, in one KV request; what is read from an environment has to
 * be there already. A preflight gives its answer instead.
 *
 * @throws Problem with 401, 429, 500 or 503.
 */
export async function openKeysOf(request: Request): Promise<ScopeKeys | Response> {
  const { authenticate, useKeys, allowedOrigins } = await app();
  if (isPreflight(request)) return preflight(request, allowedOrigins);
  const user = await authenticate(request);
  return { covered: COVERED, keys: await useKeys(user, providerIds, openAll) };
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
