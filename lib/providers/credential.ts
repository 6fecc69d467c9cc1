/** The header that carries the key to a provider, and the environment variables that hold keys. */
import type { Secret } from '../secret.ts';
import { catalogue, type Provider } from './catalogue.ts';

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** The parts of a caller's request that decide which header carries the key. */
export type CallerRequest = {
  readonly headers: Headers;
  /** The header in which the caller sent their token. */
  readonly tokenHeader: string | undefined;
};

/**
 * Returns the header's name and value. A key is sent only there, never in a query or a body. If a provider changed the
 * header between API versions, the caller's version and header decide.
 */
export function credentialHeader(
  provider: Provider,
  key: Secret,
  caller?: CallerRequest,
): readonly [name: string, value: string] {
  const { header, scheme } = caller && usesBearer(provider, caller) ? BEARER : provider.credential;
  return [header, scheme === undefined ? key.reveal() : `${scheme} ${key.reveal()}`];
}

const BEARER: Provider['credential'] = { header: 'authorization', scheme: 'Bearer' };

function usesBearer({ bearerSince }: Provider, { headers, tokenHeader }: CallerRequest): boolean {
  if (bearerSince === undefined || tokenHeader !== BEARER.header) return false;
  const version = headers.get(bearerSince.header) ?? '';
  return DATE.test(version) && version >= bearerSince.version;
}

/**
 * Other credentials that the providers' SDKs fall back to. They belong to the operator, so they read as undefined in a
 * scope. URLs and headers (`*_BASE_URL`, `*_CUSTOM_HEADERS`) are settings, not credentials.
 */
const FALLBACK_VARIABLES = [
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

/** Every environment variable that can hold a credential of a provider. */
export const credentialVariables: ReadonlySet<string> = new Set([
  ...catalogue.flatMap(({ variables }) => variables),
  ...FALLBACK_VARIABLES,
]);
