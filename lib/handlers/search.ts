/** POST /api/search: a web search at Exa with the caller's own key. */
import { z } from 'zod';
import { Problem } from '../errors.ts';
import { toProviderProblem, transportFor } from '../gateway/provider-transport.ts';
import { requireProvider, userRoute } from '../http/endpoint.ts';
import {
  MAX_JSON_ANSWER_BYTES,
  MAX_PROVIDER_ERROR_BYTES,
  MAX_SEARCH_QUERY_CHARACTERS,
  MAX_SEARCH_RESULTS,
  PROVIDER_IDLE_TIMEOUT_MS,
} from '../limits.ts';
import { readBeginning, readWithLimit } from '../outgoing/body.ts';
import { credentialHeader } from '../providers/credential.ts';
import { readCallAnswer } from '../providers/key-check-result.ts';
import { providerRefusal } from '../providers/provider-refusal.ts';
import { providerBase } from '../providers/provider-url.ts';
import { redactAnswer } from '../redaction/redact-answer.ts';
import { createRedactor } from '../redaction/redactor.ts';

const searchBody = z.strictObject({
  query: z.string().min(1).max(MAX_SEARCH_QUERY_CHARACTERS),
  numResults: z.int().min(1).max(MAX_SEARCH_RESULTS).optional(),
});

const PATH = '/search';

/**
 * Exa's own answer. A search uses no model, so a key that is restricted to models does not serve it.
 *
 * @throws Problem `key_rejected`, `provider_limited`, `provider_refused`, `provider_error`, `provider_unreachable`,
 *   `provider_timeout`, and what `KeyScope.get` throws.
 */
export const POST = userRoute({ audit: 'use', body: searchBody }, async (call) => {
  const { app, user, journal, request } = call;
  const exa = requireProvider('exa');
  journal.note({ route: 'search', provider: exa.id });
  const keys = await app.openKeys(user, [exa.id], { journal, take: 'first', modelFor: () => null });
  const key = await keys.get(exa.id);

  const { send, baseUrls, timeoutMs } = transportFor(call, exa.id);
  const [name, value] = credentialHeader(exa, key);
  try {
    const sent = await send({
      method: 'POST',
      url: providerBase(exa, baseUrls) + PATH,
      headers: { accept: 'application/json', 'content-type': 'application/json', [name]: value },
      body: JSON.stringify(call.body),
      signal: request.signal,
      answerTimeoutMs: timeoutMs,
      idleTimeoutMs: PROVIDER_IDLE_TIMEOUT_MS,
    });
    if (sent.status === 200) {
      const answer = await redactAnswer(sent, key);
      const bytes = await readWithLimit(answer.body, MAX_JSON_ANSWER_BYTES);
      if (bytes === undefined) throw new Problem('provider_error', { reason: 'provider_answer_too_large' });
      keys.recordKeyStatus(exa.id, 'valid');
      return new Response(new Uint8Array(bytes), { headers: { 'content-type': 'application/json' } });
    }
    const { bytes } = await readBeginning(sent.body, MAX_PROVIDER_ERROR_BYTES);
    const text = new TextDecoder().decode(bytes);
    keys.recordKeyStatus(exa.id, readCallAnswer(exa, PATH, sent.status, text));
    throw providerRefusal(sent.status, text, await createRedactor(key), sent.headers.get('retry-after'));
  } catch (error) {
    throw toProviderProblem(error);
  }
});
