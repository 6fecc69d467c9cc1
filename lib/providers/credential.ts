/** The header that carries the key to a provider, and the environment variables that hold keys. */
import type { Secret } from '../secret.ts';
import { catalogue, type Provider } from './catalogue.ts';

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** The parts of a caller's request that decide which header carries the key. */
export type CallerSlot = {
  readonly headers: Headers;
  /** The header the caller's token came in. */
  readonly tokenHeader: string | undefined;
};

/**
 * Name and value of the header. A key is sent nowhere else, not in a query and not in a body. A provider that has
 * changed the header between versions of its API gets the one for the version and the header that the caller uses.
 */
export function credentialHeader(
  provider: Provider,
  key: Secret,
  caller?: CallerSlot,
): readonly [name: string, value: string] {
  const { header, scheme } = caller && speaksBearer(provider, caller) ? BEARER_SLOT : provider.credential;
  return [header, scheme === undefined ? key.reveal() : `${scheme} ${key.reveal()}`];
}

const BEARER_SLOT: Provider['credential'] = { header: 'authorization', scheme: 'Bearer' };

function speaksBearer({ bearerSince }: Provider, { headers, tokenHeader }: CallerSlot): boolean {
  if (bearerSince === undefined || tokenHeader !== BEARER_SLOT.header) return false;
  const version = headers.get(bearerSince.header) ?? '';
  return DATE.test(version) && version >= bearerSince.version;
}

/**
 * Other credentials that the SDKs of the catalogue's providers fall back to. They belong to the operator, so a scope
 * gives them to nobody. Addresses and headers (`*_BASE_URL`, `*_CUSTOM_HEADERS`) are settings and not among them.
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
