import Perplexity from '@perplexity-ai/perplexity_ai';
import { fromAimock } from '../harness/emulate.ts';
import { sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { chatEvents } from '../harness/shapes.ts';
import { perplexity as snippet } from '../snippets/perplexity.ts';

const question = { model: 'sonar' as const, messages: [{ role: 'user' as const, content: 'Hello' }] };

export const perplexity = sdk({
  name: '@perplexity-ai/perplexity_ai',
  package: '@perplexity-ai/perplexity_ai',
  provider: 'perplexity',
  snippet,
  answer: ({ aimock }) => fromAimock(aimock, { path: (path) => `/v1${path}` }),
  read: (answer) => answer.choices[0]?.message.content,
  call: async (client, signal) =>
    (await client.chat.completions.create(question, { signal: signal ?? null })).choices[0]?.message.content,
  stream: {
    async *run(client) {
      const stream = await client.chat.completions.create({ ...question, stream: true });
      for await (const chunk of stream) {
        const content = chunk.choices[0]?.delta.content;
        if (typeof content === 'string') yield content;
      }
    },
    answer: (gate) => chatEvents(gate),
  },
  error: {
    is: (error) => error instanceof Perplexity.BadRequestError,
    status: (error) => error instanceof Perplexity.BadRequestError && error.status,
  },
  abort: 'signal',
  retry: 'retries',
  freshToken: lacks('`apiKey` is a string'),
  upload: lacks('no uploads'),
  binary: lacks('JSON only'),
  poll: lacks('the caller asks again by itself (`async.chat.completions.get`)'),
  pages: lacks('no paged lists'),
});
