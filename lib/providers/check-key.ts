/** Asks a provider whether it accepts a key, with a free call. */
import { KEY_CHECK_TIMEOUT_MS, MAX_KEY_CHECK_ANSWER_BYTES } from '../limits.ts';
import { readWithLimit } from '../outgoing/body.ts';
import { type Send, SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';
import type { Provider } from './catalogue.ts';
import { credentialHeader } from './credential.ts';
import { type KeyCheckResult, readCheckAnswer } from './key-check-result.ts';
import { type BaseUrls, providerBase } from './provider-url.ts';

type CheckTransport = { readonly send: Send; readonly config: { readonly baseUrls: BaseUrls } };

/**
 * Returns `unknown` if the answer does not show whether the key is valid: the provider is unreachable, slow, rate-limited,
 * failing or redirecting, or it refuses for another reason. Redirects are not followed, because they would carry the key.
 */
export async function checkKey(
  provider: Provider,
  key: Secret,
  { send, config: { baseUrls } }: CheckTransport,
): Promise<KeyCheckResult> {
  const { method, path, origin } = provider.check;
  const base = baseUrls.get(provider.id) ?? origin ?? providerBase(provider, baseUrls);
  const [name, value] = credentialHeader(provider, key);
  try {
    const answer = await send({
      method,
      url: `${base}${path}`,
      headers: { accept: 'application/json', 'user-agent': 'userkeys', ...provider.headers, [name]: value },
      signal: AbortSignal.timeout(KEY_CHECK_TIMEOUT_MS),
      answerTimeoutMs: KEY_CHECK_TIMEOUT_MS,
      idleTimeoutMs: KEY_CHECK_TIMEOUT_MS,
    });
    const bytes = await readWithLimit(answer.body, MAX_KEY_CHECK_ANSWER_BYTES);
    return readCheckAnswer(
      provider,
      answer.status,
      bytes === undefined ? '' : new TextDecoder().decode(bytes),
    );
  } catch (error) {
    if (error instanceof SendError) return 'unknown';
    throw error;
  }
}
