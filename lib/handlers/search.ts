/** A web search at Exa with the caller's own key. */
import { z } from 'zod';
import { JSON_MAX_ANSWER_BYTES, PROVIDER_IDLE_TIMEOUT_MS } from '../limits.ts';
import { Problem } from '../errors.ts';
import { readCapped } from '../outgoing/read-capped.ts';
import type { Secret } from '../secret.ts';
import { findProvider } from '../providers/catalogue.ts';
import { credentialHeader } from '../providers/credential.ts';
import { toProviderProblem, type Via } from '../gateway/forward.ts';
import { judgeCall, type KeyVerdict } from '../providers/key-check-result.ts';
import { providerRefusal } from '../providers/provider-refusal.ts';
import { providerBase } from '../providers/provider-url.ts';
import { createRedactor } from '../redaction/redactor.ts';

export const searchBody = z.strictObject({
  query: z.string().min(1).max(2_000),
  numResults: z.int().min(1).max(100).optional(),
});
export type SearchBody = z.infer<typeof searchBody>;

/**
 * Exa's own answer to `POST /search`. `learn` is told what it says about the key.
 *
 * @throws Problem as `generate` does.
 */
export async function search(
  key: Secret,
  body: SearchBody,
  signal: AbortSignal,
  via: Via,
  learn: (verdict: KeyVerdict) => void,
): Promise<Response> {
  const exa = findProvider('exa');
  if (exa === undefined) throw new Problem('unknown_provider');
  const [name, value] = credentialHeader(exa, key);
  try {
    const answer = await via.send({
      method: 'POST',
      url: `${providerBase(exa, via.baseUrls)}/search`,
      headers: { accept: 'application/json', 'content-type': 'application/json', [name]: value },
      body: JSON.stringify(body),
      signal,
      answerTimeoutMs: via.providerTimeoutMs,
      idleTimeoutMs: PROVIDER_IDLE_TIMEOUT_MS,
    });
    const bytes = await readCapped(answer.body, JSON_MAX_ANSWER_BYTES);
    if (bytes === undefined) throw new Problem('provider_error');
    if (answer.status === 200) {
      learn('valid');
      return new Response(bytes, { headers: { 'content-type': 'application/json' } });
    }
    const text = new TextDecoder().decode(bytes);
    learn(judgeCall(exa, '/search', answer.status, text));
    throw providerRefusal(answer.status, text, await createRedactor(key), answer.headers.get('retry-after'));
  } catch (error) {
    throw toProviderProblem(error);
  }
}
