/** One prompt or chat to a model, with the caller's own key: the answer whole, or as it is written. */
import { APICallError, convertToModelMessages, generateText } from 'ai';
import { PROVIDER_IDLE_TIMEOUT_MS } from '../limits.ts';
import { Problem } from '../errors.ts';
import { json } from '../http/json.ts';
import { fetchThrough } from '../outgoing/provider-fetch.ts';
import { SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';
import { findProvider } from '../providers/catalogue.ts';
import { toProviderProblem, type Via } from '../gateway/forward.ts';
import type { GenerateBody } from './generate-body.ts';
import { generators } from './language-models.ts';
import { chatStreamResponse, textStreamResponse } from './generate-stream.ts';
import type { GeneratingProvider } from '../providers/generating.ts';
import { judgeCall, type KeyVerdict } from '../providers/key-check-result.ts';
import { providerRefusal } from '../providers/provider-refusal.ts';
import { providerBase } from '../providers/provider-url.ts';
import { createRedactor } from '../redaction/redactor.ts';

/**
 * To a prompt `{text, provider, model, usage}`, or with `stream` the text as it is written; to a chat the UI message
 * stream of the AI SDK. `learn` is told what the provider's answer says about the key.
 *
 * @throws Problem `key_rejected`, `provider_limited`, `provider_refused`, `provider_error`,
 *   `provider_unreachable`, `provider_timeout`; of a stream too, as long as nothing has been written.
 */
export async function generate(
  provider: GeneratingProvider,
  key: Secret,
  body: GenerateBody,
  signal: AbortSignal,
  via: Via,
  learn: (verdict: KeyVerdict) => void,
): Promise<Response> {
  const entry = findProvider(provider);
  if (entry === undefined) throw new Problem('unknown_provider');
  const { defaultModel, connect } = generators[provider];
  const model = body.model ?? defaultModel;
  const base = providerBase(entry, via.baseUrls);
  const fetch = fetchThrough(via.send, base, {
    answerTimeoutMs: via.providerTimeoutMs,
    idleTimeoutMs: PROVIDER_IDLE_TIMEOUT_MS,
  });
  const leaving = new AbortController();
  const call = {
    model: connect({ key, base, fetch }, model),
    abortSignal: AbortSignal.any([signal, leaving.signal]),
    maxRetries: 0,
  };
  const from = { 'x-userkeys-provider': provider, 'x-userkeys-model': model };
  try {
    const response = await answer();
    learn('valid');
    return response;
  } catch (error) {
    const refused = refusalIn(error);
    if (refused) learn(judgeCall(entry, '', refused.statusCode ?? 0, refused.responseBody));
    throw await toProblem(error, key);
  }

  async function answer(): Promise<Response> {
    if ('messages' in body) {
      const messages = await convertToModelMessages(body.messages);
      return chatStreamResponse({ ...call, messages, allowSystemInMessages: true }, leaving, {
        messages: body.messages,
        headers: from,
      });
    }
    const { prompt, stream } = body;
    if (stream) return textStreamResponse({ ...call, prompt }, leaving, from);
    const { text, usage } = await generateText({ ...call, prompt });
    return json({
      text,
      provider,
      model,
      usage: { inputTokens: usage.inputTokens ?? null, outputTokens: usage.outputTokens ?? null },
    });
  }
}

/** The provider's refusal that an error of the SDK is about, if it is about one. */
function refusalIn(error: unknown): APICallError | undefined {
  return APICallError.isInstance(error) ? error : undefined;
}

async function toProblem(error: unknown, key: Secret): Promise<unknown> {
  const origin = error instanceof Error && error.cause instanceof SendError ? error.cause : error;
  if (origin instanceof SendError) return toProviderProblem(origin);
  const refused = refusalIn(origin);
  if (refused === undefined) return new Problem('provider_error');
  const { statusCode = 502, responseBody = '', responseHeaders } = refused;
  return providerRefusal(
    statusCode,
    responseBody,
    await createRedactor(key),
    responseHeaders?.['retry-after'],
  );
}
