/**
 * A model's answer as it is written: as plain text, or as the UI message stream that the AI SDK's `useChat` reads.
 * The response starts with the first piece of the answer, because until then a failure can still become a status.
 */
import {
  createUIMessageStreamResponse,
  streamText,
  type TextStreamPart,
  type ToolSet,
  toUIMessageStream,
  type UIMessage,
} from 'ai';
import { createByteRedactor } from '../redaction/redact-answer.ts';
import type { Secret } from '../secret.ts';

export type ModelCall = Parameters<typeof streamText>[0];
type Part = TextStreamPart<ToolSet>;

const BROKEN_OFF = 'The provider failed in the middle of its answer.';
/** The parts that a model's stream sends before it has written anything. */
const PREAMBLE: ReadonlySet<Part['type']> = new Set(['start', 'start-step', 'text-start', 'reasoning-start']);

/**
 * The text only, without the key: the provider may have cut it into pieces, each in an event of its own. It ends with an
 * error when the provider fails in the middle.
 *
 * @throws the error of the model call if it fails before the first text.
 */
export async function textStreamResponse(
  call: ModelCall,
  cancelled: AbortController,
  { key, headers }: { readonly key: Secret; readonly headers: HeadersInit },
): Promise<Response> {
  const parts = await begin(call, cancelled, ({ type }) => type !== 'text-delta');
  const encoder = new TextEncoder();
  const redactor = createByteRedactor(key);
  const text = new TransformStream<Part, Uint8Array>({
    transform(part, controller) {
      if (part.type === 'error') controller.error(new Error(BROKEN_OFF));
      if (part.type === 'text-delta') controller.enqueue(redactor.push(encoder.encode(part.text)));
    },
    flush: (controller) => controller.enqueue(redactor.end()),
  });
  const response = new Response(parts.pipeThrough(text), { headers });
  response.headers.set('content-type', 'text/plain; charset=utf-8');
  return response;
}

/**
 * The UI message stream (`text/event-stream`). After a failure in the middle its last part is an `error`.
 *
 * @throws the error of the model call if it fails before the first part.
 */
export async function chatStreamResponse(
  call: ModelCall,
  cancelled: AbortController,
  chat: { readonly messages: UIMessage[]; readonly headers: HeadersInit },
): Promise<Response> {
  const parts = await begin(call, cancelled, ({ type }) => PREAMBLE.has(type));
  const stream = toUIMessageStream({
    stream: parts,
    originalMessages: chat.messages,
    sendReasoning: true,
    sendSources: true,
    onError: () => BROKEN_OFF,
  });
  return createUIMessageStreamResponse({ stream, headers: chat.headers });
}

/** The model's parts, once the first part that is not `isBefore` has arrived. Cancelling the stream ends the call. */
async function begin(
  call: ModelCall,
  cancelled: AbortController,
  isBefore: (part: Part) => boolean,
): Promise<ReadableStream<Part>> {
  // Without this the SDK prints errors, which quote the request.
  const rest = streamText({ ...call, onError: () => undefined }).stream.getReader();
  const first: Part[] = [];
  for (let next = await rest.read(); !next.done; next = await rest.read()) {
    if (next.value.type === 'error') throw next.value.error;
    first.push(next.value);
    if (!isBefore(next.value)) break;
  }
  return new ReadableStream<Part>({
    async pull(controller) {
      const waiting = first.shift();
      if (waiting) return controller.enqueue(waiting);
      const { done, value } = await rest.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel() {
      cancelled.abort();
    },
  });
}
