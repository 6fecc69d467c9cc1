/**
 * Which headers pass the gateway, in each direction. All others are dropped: cookies, credentials, forwarding and
 * platform headers (`x-vercel-oidc-token` is a credential of the deployment), hop-by-hop headers.
 */
import type { Secret } from '../secret.ts';
import { containsToken } from './token-leak.ts';

const REQUEST_HEADERS = new Set([
  ...['accept', 'accept-language', 'content-type', 'content-length', 'user-agent', 'range'],
  ...['if-match', 'if-none-match', 'if-modified-since', 'prefer'],
  ...['idempotency-key', 'x-idempotency-key', 'x-request-id', 'x-client-request-id'],
  ...['anthropic-version', 'anthropic-beta', 'openai-beta', 'openrouter-beta'],
  ...['http-referer', 'x-title', 'x-source', 'x-client-name', 'x-client-source', 'x-pplx-integration'],
  ...['x-mistral-user-agent', 'x-hf-bill-to', 'x-wait-for-model', 'x-use-cache', 'x-task'],
]);
const REQUEST_PREFIXES = [
  'x-stainless-',
  'x-fern-',
  'x-goog-api-client',
  'x-goog-upload-',
  'stability-client-',
];

const RESPONSE_HEADERS = new Set([
  ...['content-type', 'content-length', 'content-encoding', 'content-disposition', 'content-language'],
  ...['content-range', 'accept-ranges', 'etag', 'last-modified', 'date', 'preference-applied'],
  ...['retry-after', 'retry-after-ms', 'x-should-retry', 'ratelimit', 'ratelimit-policy'],
  ...['request-id', 'x-request-id', 'x-generation-id', 'cf-ray', 'x-total-count', 'x-trace-id'],
  ...['history-item-id', 'character-cost', 'x-character-count', 'finish-reason', 'seed'],
  ...['x-compute-time', 'x-inference-provider', 'num-tokens'],
]);
const RESPONSE_PREFIXES = [
  ...['x-ratelimit-', 'ratelimit-', 'anthropic-', 'openai-', 'x-goog-upload-', 'x-groq-', 'x-cohere-'],
  ...['x-copilotkit-', 'mistral-'],
];

/** The caller's headers that the provider gets. A header that contains the caller's token is dropped. */
export function requestHeaders(incoming: Headers, token: Secret | undefined): Record<string, string> {
  const passing: Record<string, string> = {};
  for (const [name, value] of incoming) {
    const known = REQUEST_HEADERS.has(name) || REQUEST_PREFIXES.some((prefix) => name.startsWith(prefix));
    if (known && !containsToken(value, token)) passing[name] = value;
  }
  return passing;
}

/** The provider's headers that the caller gets, with the key redacted in their values. */
export function responseHeaders(incoming: Headers, redact: (text: string) => string): Headers {
  const passing = new Headers();
  for (const [name, value] of incoming) {
    const known = RESPONSE_HEADERS.has(name) || RESPONSE_PREFIXES.some((prefix) => name.startsWith(prefix));
    if (known) passing.append(name, redact(value));
  }
  return passing;
}
