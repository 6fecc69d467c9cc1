/** One prompt to a model, with the caller's own key: the answer whole, or as it is written. */
import { APICallError, generateText, streamText } from 'ai';
import { z } from 'zod';
import { PROVIDER_IDLE_TIMEOUT_MS } from '../deadlines.ts';
import { Problem } from '../errors.ts';
import { json } from '../http/json.ts';
import { fetchThrough } from '../outgoing/fetch-through.ts';
import { SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';
import { findProvider } from './catalogue.ts';
import { toProviderProblem, type Via } from './forward.ts';
import { generators } from './generate-model.ts';
import { GENERATING, type GeneratingProvider } from './generating.ts';
import { providerRefusal } from './provider-refusal.ts';
import { providerBase } from './provider-url.ts';
import { createRedactor } from './redact.ts';

export const generateBody = z.strictObject({
  /** Default: the first of these that the user has a key for. */
  provider: z.enum(GENERATING).optional(),
  model: z
    .string()
    .regex(/^[\w@:-][\w@:.-]*(\/[\w@:-][\w@:.-]*)*$/, 'must be a model name')
    .max(200)
    .optional(),
  prompt: z.string().min(1),
  stream: z.boolean().optional(),
});
export type GenerateBody = z.infer<typeof generateBody>;

/**
 * `{text, provider, model, usage}`, or with `stream` the text as it is written, which breaks off when the
 * provider fails in the middle.
 *
 * @throws Problem `key_rejected`, `provider_limited`, `provider_refused`, `provider_error`,
 *   `provider_unreachable`, `provider_timeout`; with `stream` too, as long as no text has come.
 */
export async function generate(
  provider: GeneratingProvider,
  key: Secret,
  { model: wanted, prompt, stream }: GenerateBody,
  signal: AbortSignal,
  via: Via,
): Promise<Response> {
  const entry = findProvider(provider);
  if (entry === undefined) throw new Problem('unknown_provider');
  const { defaultModel, connect } = generators[provider];
  const model = wanted ?? defaultModel;
  const base = providerBase(entry, via.baseUrls);
  const fetch = fetchThrough(via.send, base, {
    answerTimeoutMs: via.providerTimeoutMs,
    idleTimeoutMs: PROVIDER_IDLE_TIMEOUT_MS,
  });
  const leaving = new AbortController();
  const call = {
    model: connect({ key, base, fetch }, model),
    prompt,
    abortSignal: AbortSignal.any([signal, leaving.signal]),
    maxRetries: 0,
  };
  try {
    if (stream) return textResponse(await startText(call, leaving), { provider, model });
    const { text, usage } = await generateText(call);
    return json({
      text,
      provider,
      model,
      usage: { inputTokens: usage.inputTokens ?? null, outputTokens: usage.outputTokens ?? null },
    });
  } catch (error) {
    throw await toProblem(error, key);
  }
}

type ModelCall = Parameters<typeof streamText>[0] & { readonly prompt: string };

/** The written text piece by piece, once its first piece is there: until then a failure can still be a status. */
async function startText(call: ModelCall, leaving: AbortController): Promise<ReadableStream<Uint8Array>> {
  // The SDK prints errors unless told otherwise; they quote the request.
  const { fullStream } = streamText({ ...call, onError: () => undefined });
  const pieces = textPieces(fullStream);
  const first = await pieces.next();
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      if (first.done) controller.close();
      else controller.enqueue(encoder.encode(first.value));
    },
    async pull(controller) {
      try {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value));
      } catch {
        controller.error(new Error('The provider failed in the middle of its answer.'));
      }
    },
    cancel() {
      leaving.abort();
    },
  });
}

async function* textPieces(
  parts: AsyncIterable<{ readonly type: string; readonly text?: unknown; readonly error?: unknown }>,
): AsyncGenerator<string, undefined> {
  for await (const part of parts) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'text-delta' && typeof part.text === 'string') yield part.text;
  }
  return undefined;
}

function textResponse(
  text: ReadableStream<Uint8Array>,
  from: { readonly provider: string; readonly model: string },
): Response {
  return new Response(text, {
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'x-userkeys-provider': from.provider,
      'x-userkeys-model': from.model,
    },
  });
}

async function toProblem(error: unknown, key: Secret): Promise<unknown> {
  const origin = error instanceof Error && error.cause instanceof SendError ? error.cause : error;
  if (origin instanceof SendError) return toProviderProblem(origin);
  if (!APICallError.isInstance(origin)) return new Problem('provider_error');
  const { statusCode = 502, responseBody = '', responseHeaders } = origin;
  return providerRefusal(
    statusCode,
    responseBody,
    await createRedactor(key),
    responseHeaders?.['retry-after'],
  );
}
