/** Calls a model with a prompt or a chat and the caller's own key: the answer whole, or as it is written. */
import { APICallError, convertToModelMessages, generateText } from 'ai';
import { Problem } from '../errors.ts';
import { type ProviderTransport, toProviderProblem } from '../gateway/provider-transport.ts';
import { json } from '../http/json.ts';
import { PROVIDER_IDLE_TIMEOUT_MS } from '../limits.ts';
import { createProviderFetch } from '../outgoing/provider-fetch.ts';
import { type Send, SendError } from '../outgoing/send.ts';
import type { GeneratingProvider, Provider } from '../providers/catalogue.ts';
import { type KeyCheckResult, readCallAnswer } from '../providers/key-check-result.ts';
import { providerRefusal } from '../providers/provider-refusal.ts';
import { providerBase } from '../providers/provider-url.ts';
import { redactAnswer } from '../redaction/redact-answer.ts';
import { createExactRedactor, createRedactor } from '../redaction/redactor.ts';
import type { Secret } from '../secret.ts';
import type { GenerateBody } from './generate-body.ts';
import { chatStreamResponse, textStreamResponse } from './generate-stream.ts';
import { languageModels } from './language-models.ts';

export type GenerateCall = {
  readonly provider: Provider & { readonly id: GeneratingProvider };
  readonly key: Secret;
  readonly body: GenerateBody;
  /** Fires when the caller leaves. */
  readonly signal: AbortSignal;
  /** Told what the provider's answer says about the key. */
  readonly onKeyStatus: (result: KeyCheckResult) => void;
};

/**
 * For a prompt `{text, provider, model, usage}`, or with `stream` the text as it is written. For a chat the UI message
 * stream of the AI SDK.
 *
 * @throws Problem `key_rejected`, `provider_limited`, `provider_refused`, `provider_error`,
 *   `provider_unreachable`, `provider_timeout`. A stream throws them too until something has been written.
 */
export async function generate(transport: ProviderTransport, call: GenerateCall): Promise<Response> {
  const { provider, key, body, signal, onKeyStatus } = call;
  const { defaultModel, connect } = languageModels[provider.id];
  const model = body.model ?? defaultModel;
  const base = providerBase(provider, transport.baseUrls);
  const send: Send = async (request) => {
    const sent = await transport.send(request);
    return sent.status < 400 ? redactAnswer(sent, key) : sent;
  };
  const fetch = createProviderFetch(send, base, {
    answerTimeoutMs: transport.timeoutMs,
    idleTimeoutMs: PROVIDER_IDLE_TIMEOUT_MS,
  });
  const cancelled = new AbortController();
  const settings = {
    model: connect({ key, base, fetch }, model),
    abortSignal: AbortSignal.any([signal, cancelled.signal]),
    maxRetries: 0,
  };
  const headers = { 'x-userkeys-provider': provider.id, 'x-userkeys-model': model };
  try {
    const response = await answer();
    onKeyStatus('valid');
    return response;
  } catch (error) {
    const refused = refusalIn(error);
    if (refused) onKeyStatus(readCallAnswer(provider, '', refused.statusCode ?? 0, refused.responseBody));
    throw await toProblem(error, key);
  }

  async function answer(): Promise<Response> {
    if ('messages' in body) {
      const messages = await convertToModelMessages(body.messages);
      const chat = { messages: body.messages, headers };
      return chatStreamResponse({ ...settings, messages, allowSystemInMessages: true }, cancelled, chat);
    }
    const { prompt, stream } = body;
    if (stream) return textStreamResponse({ ...settings, prompt }, cancelled, { key, headers });
    const { text, usage } = await generateText({ ...settings, prompt });
    return json({
      // The provider may have cut the key into pieces, which the SDK has joined.
      text: createExactRedactor(key)(text),
      provider: provider.id,
      model,
      usage: { inputTokens: usage.inputTokens ?? null, outputTokens: usage.outputTokens ?? null },
    });
  }
}

/** The provider's refusal behind an error of the SDK, if there is one. */
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
