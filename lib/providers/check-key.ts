/** Asking a provider whether it accepts a key, by a call that costs nothing. */
import { KEY_CHECK_MAX_ANSWER_BYTES, KEY_CHECK_TIMEOUT_MS } from '../deadlines.ts';
import { readCapped } from '../outgoing/read-capped.ts';
import { type Answer, type Send, SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';
import type { CheckRule, Provider, ProviderId } from './catalogue.ts';
import { credentialHeader } from './credential.ts';
import { type BaseUrls, providerBase } from './provider-url.ts';

export type KeyVerdict = CheckRule['says'];

/**
 * `unknown` whenever the answer does not settle it: unreachable, slow, limited, failing, redirecting, or
 * refusing for a reason other than the key. Redirects are not followed: some key headers would go along.
 */
export async function checkKey(
  provider: Provider & { readonly id: ProviderId },
  key: Secret,
  via: { readonly send: Send; readonly baseUrls: BaseUrls },
): Promise<KeyVerdict> {
  const { method, path, origin, rules = [] } = provider.check;
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
    return await judge(answer, rules);
  } catch (error) {
    if (error instanceof SendError) return 'unknown';
    throw error;
  }
}

async function judge(answer: Answer, rules: readonly CheckRule[]): Promise<KeyVerdict> {
  const candidates = rules.filter((rule) => rule.status === answer.status);
  const bytes = await readCapped(answer.body, KEY_CHECK_MAX_ANSWER_BYTES);
  const text = bytes === undefined ? '' : new TextDecoder().decode(bytes);
  const decided = candidates.find((rule) => rule.includes === undefined || text.includes(rule.includes));
  if (decided !== undefined) return decided.says;
  if (answer.status >= 200 && answer.status < 300) return 'valid';
  return answer.status === 401 ? 'rejected' : 'unknown';
}
