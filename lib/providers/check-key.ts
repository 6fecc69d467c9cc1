/** Asking a provider whether it accepts a key, by a call that costs nothing. */
import { KEY_CHECK_MAX_ANSWER_BYTES, KEY_CHECK_TIMEOUT_MS } from '../limits.ts';
import { readCapped } from '../outgoing/read-capped.ts';
import { type Send, SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';
import type { Provider, ProviderId } from './catalogue.ts';
import { credentialHeader } from './credential.ts';
import { judgeCheck, type KeyVerdict } from './key-check-result.ts';
import { type BaseUrls, providerBase } from './provider-url.ts';

/**
 * `unknown` whenever the answer does not settle it: unreachable, slow, limited, failing, redirecting, or
 * refusing for a reason other than the key. Redirects are not followed: some key headers would go along.
 */
export async function checkKey(
  provider: Provider & { readonly id: ProviderId },
  key: Secret,
  via: { readonly send: Send; readonly baseUrls: BaseUrls },
): Promise<KeyVerdict> {
  const { method, path, origin } = provider.check;
  const base = via.baseUrls.get(provider.id) ?? origin ?? providerBase(provider, via.baseUrls);
  const [name, value] = credentialHeader(provider, key);
  try {
    const answer = await via.send({
      method,
      url: `${base}${path}`,
      headers: { accept: 'application/json', 'user-agent': 'userkeys', ...provider.headers, [name]: value },
      signal: AbortSignal.timeout(KEY_CHECK_TIMEOUT_MS),
      answerTimeoutMs: KEY_CHECK_TIMEOUT_MS,
      idleTimeoutMs: KEY_CHECK_TIMEOUT_MS,
    });
    const bytes = await readCapped(answer.body, KEY_CHECK_MAX_ANSWER_BYTES);
    return judgeCheck(provider, answer.status, bytes === undefined ? '' : new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SendError) return 'unknown';
    throw error;
  }
}
