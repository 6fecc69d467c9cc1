import { InferenceClientProviderApiError } from '@huggingface/inference';
import { sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { huggingface as snippet } from '../snippets/huggingface.ts';

const question = { model: 'openai/gpt-oss-20b', messages: [{ role: 'user', content: 'Hello' }] };

export const huggingface = sdk({
  name: '@huggingface/inference',
  package: '@huggingface/inference',
  provider: 'huggingface',
  snippet,
  read: (answer) => answer.choices[0]?.message.content,
  call: async (client, signal) =>
    (await client.chatCompletion(question, signal ? { signal } : {})).choices[0]?.message.content,
  stream: {
    async *run(client, signal) {
      for await (const chunk of client.chatCompletionStream(question, signal ? { signal } : {}))
        yield chunk.choices[0]?.delta.content;
    },
  },
  error: {
    is: (error) => error instanceof InferenceClientProviderApiError,
    status: (error) => error instanceof InferenceClientProviderApiError && error.httpResponse.status,
  },
  abort: 'signal',
  retry: lacks('only 503 (dist/esm/utils/request.js:32)'),
  freshToken: lacks('the token is a string'),
  upload: lacks('with `endpointUrl` it speaks chat alone; other tasks choose their own host'),
  binary: lacks('with `endpointUrl` it speaks chat alone; other tasks choose their own host'),
  poll: lacks('no call of the SDK waits for a job'),
  pages: lacks('no paged lists'),
});
