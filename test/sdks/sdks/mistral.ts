import { MistralError } from '@mistralai/mistralai/models/errors';
import { json } from '../../support/answers.ts';
import { bytes } from '../harness/emulate.ts';
import { BINARY, FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { mistral as snippet } from '../snippets/mistral.ts';

const question = { model: 'mistral-small-latest', messages: [{ role: 'user' as const, content: 'Hello' }] };
const file = {
  ...{
    id: '7f9e6a3c-0000-4000-8000-000000000001',
    object: 'file',
    bytes: 1,
    created_at: 1,
    filename: 'a.bin',
  },
  ...{ purpose: 'ocr', sample_type: 'ocr_input', source: 'upload' },
};

const agent = (id: string) => ({
  ...{
    id,
    name: id,
    model: 'm',
    object: 'agent',
    version: 1,
    versions: [1],
    deployment_chat: false,
    source: 'api',
  },
  ...{ created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' },
});

export const mistral = sdk({
  name: '@mistralai/mistralai',
  package: '@mistralai/mistralai',
  provider: 'mistral',
  snippet,
  read: (answer) => answer.choices[0]?.message?.content,
  call: async (client, signal) => {
    const options = signal ? { fetchOptions: { signal } } : {};
    return (await client.chat.complete(question, options)).choices[0]?.message?.content;
  },
  stream: {
    async *run(client) {
      for await (const { data } of await client.chat.stream(question)) {
        const content = data.choices[0]?.delta.content;
        if (typeof content === 'string') yield content;
      }
    },
  },
  error: {
    body: { object: 'error', message: 'Bad model', type: 'invalid_model', code: '1500' },
    is: (error) => error instanceof MistralError,
    status: (error) => error instanceof MistralError && error.statusCode,
  },
  abort: 'signal',
  retry: lacks('off unless `retryConfig` is set (esm/funcs/chatComplete.js:45)'),
  freshToken: 'function',
  upload: {
    answers: [json(file)],
    run: async (client) =>
      (await client.files.upload({ file: { fileName: 'a.bin', content: FILE }, purpose: 'ocr' })).id,
    gives: file.id,
  },
  binary: {
    answers: [bytes('application/octet-stream', BINARY)],
    run: (client) => client.files.download({ fileId: file.id }),
  },
  poll: lacks('no call of the SDK waits for a job'),
  pages: {
    answers: [
      json({ data: [agent('a'), agent('b')], next_page_token: 'p2' }),
      json({ data: [agent('c')], next_page_token: null }),
    ],
    run: async (client) => {
      const ids: string[] = [];
      for await (const { result } of await client.beta.agents.listPages({ pageSize: 2 })) {
        ids.push(...result.data.map(({ id }) => id));
      }
      return ids;
    },
    gives: ['a', 'b', 'c'],
  },
});
