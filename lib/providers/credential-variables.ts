/** Every environment variable that holds a credential of a provider: the users' keys go by some of these names. */
import { catalogue } from './catalogue.ts';

/**
 * Other credentials that the catalogue's providers' SDKs fall back to. They are the operator's, so nobody gets
 * them in a user's stead. Addresses and headers (`*_BASE_URL`, `*_CUSTOM_HEADERS`) are settings, and not among them.
 */
const FALLBACKS = [
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

export const credentialVariables: ReadonlySet<string> = new Set([
  ...catalogue.flatMap(({ variables }) => variables),
  ...FALLBACKS,
]);
