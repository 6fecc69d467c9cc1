import { CohereError } from 'cohere-ai';
import { json } from '../../support/answers.ts';
import { FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { cohere as snippet } from '../snippets/cohere-ai.ts';

const question = { model: 'command-a-03-2025', messages: [{ role: 'user' as const, content: 'Hello' }] };
type Reply = {
  readonly message: { readonly content?: readonly { readonly type: string; readonly text?: string }[] };
};
const text = ({ message }: Reply) => message.content?.[0]?.text;

export const cohere = sdk({
  name: 'cohere-ai',
  package: 'cohere-ai',
  provider: 'cohere',
  snippet,
  read: (answer) => text(answer),
  call: async (client, signal) => text(await client.chat(question, signal ? { abortSignal: signal } : {})),
  stream: {
    async *run(client) {
      for await (const event of await client.chatStream(question)) {
        if (event.type === 'content-delta') yield event.delta?.message?.content?.text;
      }
    },
  },
  error: {
    body: { id: 'e1', message: 'Bad model' },
    is: (error) => error instanceof CohereError,
    status: (error) => error instanceof CohereError && error.statusCode,
  },
  abort: 'signal',
  retry: 'retries',
  freshToken: 'function',
  upload: {
    answers: [json({ id: 'data-1' })],
    run: async (client) => {
      const request = { name: 'd', type: 'embed-input' as const };
      return (await client.datasets.create(new Blob([FILE]), undefined, request)).id;
    },
    gives: 'data-1',
  },
  binary: lacks('JSON only'),
  poll: lacks('no call of the SDK waits for a job'),
  pages: lacks('page tokens are the caller’s own'),
});
