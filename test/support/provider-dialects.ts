/**
 * Minimal answers of the providers' text endpoints that their SDKs accept. The text is always `Hello from <provider>`,
 * streamed in three chunks.
 */
import { z } from 'zod';
import type { RecordedCall } from './recorded-call.ts';

/** An answer as a whole, or as events: each string is one SSE event without its final blank line. */
export type DialectAnswer = { readonly json: unknown } | { readonly events: readonly string[] };

const Body = z.looseObject({ model: z.string().optional(), stream: z.boolean().optional() });
const inTokens = 3;
const outTokens = 5;

/** The answer of a text endpoint, or undefined if the path is not one. */
export function dialectAnswer(call: RecordedCall): DialectAnswer | undefined {
  if (call.method !== 'POST') return undefined;
  const path = call.target.split('?')[0] ?? '';
  const body = Body.safeParse(parse(call));
  const { model = 'model', stream = false } = body.success ? body.data : {};
  const words = ['Hello', ' from ', call.provider];
  if (path.endsWith('/chat/completions')) return chatCompletion(model, words, stream);
  if (path.endsWith('/responses')) return response(model, words, stream);
  if (path.endsWith('/messages')) return message(model, words, stream);
  if (path.endsWith(':generateContent')) return { json: geminiChunk(words.join(''), true) };
  if (path.endsWith(':streamGenerateContent')) {
    return { events: words.map((word, index) => data(geminiChunk(word, index === words.length - 1))) };
  }
  if (call.provider === 'exa' && path === '/search') return { json: searchResults() };
  return undefined;
}

function parse(call: RecordedCall): unknown {
  try {
    return call.json();
  } catch {
    return undefined;
  }
}

const data = (value: unknown) => `data: ${JSON.stringify(value)}`;
const named = (value: { readonly type: string; readonly [member: string]: unknown }) =>
  `event: ${value.type}\n${data(value)}`;

function chatCompletion(model: string, words: readonly string[], stream: boolean): DialectAnswer {
  const base = { id: 'chatcmpl-1', created: 1, model };
  const usage = {
    prompt_tokens: inTokens,
    completion_tokens: outTokens,
    total_tokens: inTokens + outTokens,
  };
  if (!stream) {
    const message = { role: 'assistant', content: words.join('') };
    const choices = [{ index: 0, message, finish_reason: 'stop' }];
    return { json: { ...base, object: 'chat.completion', choices, usage } };
  }
  const chunk = (delta: object, finish_reason: string | null) =>
    data({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] });
  const pieces = words.map((content) => chunk({ role: 'assistant', content }, null));
  const last = data({
    ...base,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
    usage,
  });
  return { events: [...pieces, last, 'data: [DONE]'] };
}

function response(model: string, words: readonly string[], stream: boolean): DialectAnswer {
  const content = [{ type: 'output_text', text: words.join(''), annotations: [] }];
  const item = { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content };
  const usage = { input_tokens: inTokens, output_tokens: outTokens, total_tokens: inTokens + outTokens };
  const base = { id: 'resp_1', object: 'response', created_at: 1, model };
  const complete = { ...base, status: 'completed', output: [item], usage };
  if (!stream) return { json: complete };
  const place = { item_id: item.id, output_index: 0, content_index: 0 };
  const deltas = words.map((delta) => named({ type: 'response.output_text.delta', ...place, delta }));
  return {
    events: [
      named({ type: 'response.created', response: { ...base, status: 'in_progress', output: [] } }),
      named({ type: 'response.output_item.added', output_index: 0, item: { ...item, content: [] } }),
      ...deltas,
      named({ type: 'response.output_item.done', output_index: 0, item }),
      named({ type: 'response.completed', response: complete }),
    ],
  };
}

function message(model: string, words: readonly string[], stream: boolean): DialectAnswer {
  const usage = { input_tokens: inTokens, output_tokens: outTokens };
  const base = { id: 'msg_1', type: 'message', role: 'assistant', model, stop_sequence: null, usage };
  const content = [{ type: 'text', text: words.join('') }];
  if (!stream) return { json: { ...base, content, stop_reason: 'end_turn' } };
  const deltas = words.map((text) =>
    named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
  );
  return {
    events: [
      named({ type: 'message_start', message: { ...base, content: [], stop_reason: null } }),
      named({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
      ...deltas,
      named({ type: 'content_block_stop', index: 0 }),
      named({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage }),
      named({ type: 'message_stop' }),
    ],
  };
}

function geminiChunk(text: string, last: boolean): unknown {
  const content = { role: 'model', parts: [{ text }] };
  const usageMetadata = {
    promptTokenCount: inTokens,
    candidatesTokenCount: outTokens,
    totalTokenCount: inTokens + outTokens,
  };
  const candidate = { content, index: 0, ...(last ? { finishReason: 'STOP' } : {}) };
  return { candidates: [candidate], usageMetadata };
}

function searchResults(): unknown {
  const result = { id: 'https://example.com/1', url: 'https://example.com/1', title: 'Hello from exa' };
  return { requestId: 'search-1', results: [result] };
}
