import type { OpenRouter } from '@openrouter/sdk';
import { EventStream } from '@openrouter/sdk/lib/event-streams';
import { OpenRouterError } from '@openrouter/sdk/models/errors';
import { json } from '../../support/answers.ts';
import { bytes } from '../harness/emulate.ts';
import { BINARY, FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { chatEvents } from '../harness/shapes.ts';
import { openrouter as snippet } from '../snippets/openrouter.ts';

const question = { model: 'openai/gpt-5.4-mini', messages: [{ role: 'user' as const, content: 'Hello' }] };

const workspace = (id: string) => ({
  ...{
    id,
    name: id,
    slug: id,
    description: null,
    created_at: '2026-01-01',
    created_by: null,
    updated_at: null,
  },
  ...{
    default_guardrail_id: 'g',
    default_image_model: null,
    default_provider_sort: null,
    default_text_model: null,
  },
  ...{ io_logging_api_key_ids: null, io_logging_sampling_rate: 1, is_data_discount_logging_enabled: false },
  ...{ is_observability_broadcast_enabled: false, is_observability_io_logging_enabled: false },
});

type Reply = Awaited<ReturnType<OpenRouter['chat']['send']>>;
const text = (reply: Reply) => 'choices' in reply && reply.choices[0]?.message?.content;

export const openrouter = sdk({
  name: '@openrouter/sdk',
  package: '@openrouter/sdk',
  provider: 'openrouter',
  snippet,
  read: text,
  call: async (client, signal) => {
    const options = signal ? { fetchOptions: { signal } } : {};
    return text(await client.chat.send({ chatRequest: question }, options));
  },
  stream: {
    async *run(client) {
      const stream = await client.chat.send({ chatRequest: { ...question, stream: true } });
      if (!(stream instanceof EventStream)) throw new TypeError('no stream');
      for await (const chunk of stream) yield chunk.choices[0]?.delta.content ?? undefined;
    },
    answer: (gate) => chatEvents(gate),
  },
  error: {
    body: { error: { code: 400, message: 'Bad model' } },
    is: (error) => error instanceof OpenRouterError,
    status: (error) => error instanceof OpenRouterError && error.statusCode,
  },
  abort: 'signal',
  retry: lacks('only 5xx, not 429 (esm/funcs/chatSend.js:59)'),
  freshToken: 'function',
  upload: {
    answers: [json({ text: 'Hello', usage: {} })],
    run: async (client) =>
      (
        await client.stt.createTranscriptionMultipart({
          requestBody: { model: 'whisper', file: { fileName: 'a.wav', content: FILE } },
        })
      ).text,
    gives: 'Hello',
  },
  binary: {
    answers: [bytes('audio/mpeg', BINARY)],
    run: (client) =>
      client.tts.createSpeech({ speechRequest: { model: 'tts', input: 'Hello', voice: 'alloy' } }),
  },
  poll: lacks('no call of the SDK waits for a job'),
  pages: {
    answers: [
      json({ data: [workspace('a'), workspace('b')], total_count: 3 }),
      json({ data: [workspace('c')], total_count: 3 }),
    ],
    run: async (client) => {
      const ids: string[] = [];
      for await (const { result } of await client.workspaces.list({ limit: 2 })) {
        ids.push(...result.data.map(({ id }) => id));
      }
      return ids;
    },
    gives: ['a', 'b', 'c'],
  },
});
