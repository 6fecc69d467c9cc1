import Anthropic, { toFile } from '@anthropic-ai/sdk';
import { json } from '../../support/answers.ts';
import { bytes } from '../harness/emulate.ts';
import { BINARY, FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { anthropic as snippet } from '../snippets/anthropic.ts';

const question = {
  model: 'claude-haiku-4-5',
  max_tokens: 100,
  messages: [{ role: 'user' as const, content: 'Hello' }],
};
const text = (message: Anthropic.Message) => message.content[0]?.type === 'text' && message.content[0].text;

export const anthropic = sdk({
  name: '@anthropic-ai/sdk',
  package: '@anthropic-ai/sdk',
  provider: 'anthropic',
  snippet,
  read: text,
  call: async (client, signal) => text(await client.messages.create(question, { signal })),
  stream: {
    async *run(client) {
      for await (const event of client.messages.stream(question)) {
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') yield event.delta.text;
      }
    },
  },
  error: {
    body: { type: 'error', error: { type: 'invalid_request_error', message: 'Bad model' } },
    is: (error) => error instanceof Anthropic.BadRequestError,
    status: (error) => error instanceof Anthropic.BadRequestError && error.status,
  },
  abort: 'signal',
  retry: 'retries',
  freshToken: 'function',
  upload: {
    answers: [
      json({ id: 'file-1', type: 'file', filename: 'a.bin', mime_type: 'text/plain', size_bytes: 1 }),
    ],
    run: async (client) => (await client.beta.files.upload({ file: await toFile(FILE, 'a.bin') })).id,
    gives: 'file-1',
  },
  binary: {
    answers: [bytes('application/octet-stream', BINARY)],
    run: async (client) => (await client.beta.files.download('file-1')).arrayBuffer(),
  },
  poll: lacks('no call of the SDK waits for a job'),
  pages: {
    answers: [
      json({
        data: [
          { id: 'a', type: 'model' },
          { id: 'b', type: 'model' },
        ],
        has_more: true,
        last_id: 'b',
      }),
      json({ data: [{ id: 'c', type: 'model' }], has_more: false, last_id: 'c' }),
    ],
    run: async (client) => {
      const ids: string[] = [];
      for await (const { id } of client.models.list()) ids.push(id);
      return ids;
    },
    gives: ['a', 'b', 'c'],
  },
});
