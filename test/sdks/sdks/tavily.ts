import { json } from '../../support/answers.ts';
import { sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { chatEvents } from '../harness/shapes.ts';
import { tavily as snippet } from '../snippets/tavily.ts';

const result = { title: 'A result', url: 'https://example.com/', content: 'Hello', score: 1 };
const results = { query: 'Hello', response_time: 1, images: [], results: [result], request_id: 's1' };

export const tavily = sdk({
  name: '@tavily/core',
  package: '@tavily/core',
  provider: 'tavily',
  snippet,
  answer: () => json(results),
  gives: 'A result',
  read: (answer) => answer.results[0]?.title,
  call: async (client) => (await client.search('Hello')).results[0]?.title,
  stream: {
    async *run(client) {
      const stream = await client.research('Hello', { stream: true });
      if (!(Symbol.asyncIterator in stream)) throw new TypeError('no stream');
      for await (const chunk of stream) {
        for (const [, content] of String(chunk).matchAll(/"content":"([^"]*)"/g)) yield content;
      }
    },
    answer: (gate) => chatEvents(gate),
  },
  error: {
    body: { detail: { error: 'Bad model' } },
    // Plain errors; what they hold of the answer is its message.
    is: (error) => error instanceof Error,
  },
  abort: lacks('no signal reaches axios (dist/index.mjs:155)'),
  retry: lacks('one try'),
  freshToken: lacks('`apiKey` is a string'),
  upload: lacks('no uploads'),
  binary: lacks('JSON only'),
  poll: lacks('the caller asks again by itself (`getResearch`)'),
  pages: lacks('no paged lists'),
});
