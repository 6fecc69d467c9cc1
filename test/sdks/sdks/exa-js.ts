import { ExaError } from 'exa-js';
import { json } from '../../support/answers.ts';
import { sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { chatEvents } from '../harness/shapes.ts';
import { exa as snippet } from '../snippets/exa-js.ts';

const results = { requestId: 's1', results: [{ id: '1', url: 'https://example.com/', title: 'A result' }] };
const research = (status: string) => ({
  researchId: 'r1',
  status,
  createdAt: 1,
  instructions: 'Hello',
  model: 'm',
});

export const exa = sdk({
  name: 'exa-js',
  package: 'exa-js',
  provider: 'exa',
  snippet,
  answer: () => json(results),
  gives: 'A result',
  read: (answer) => answer.results[0]?.title,
  call: async (client) => (await client.search('Hello')).results[0]?.title,
  stream: {
    async *run(client) {
      for await (const { content } of client.streamAnswer('Hello')) yield content;
    },
    answer: (gate) => chatEvents(gate),
  },
  leave: lacks('the reader is let go, not cancelled (dist/index.js:3301)'),
  error: {
    body: { requestId: 'e1', error: 'Bad model', tag: 'INVALID_REQUEST_BODY' },
    is: (error) => error instanceof ExaError,
    status: (error) => error instanceof ExaError && error.statusCode,
  },
  abort: lacks('no signal reaches its fetch (dist/index.js:2986)'),
  retry: lacks('one try (dist/index.js:2986)'),
  freshToken: lacks('the key is a string (a function’s source text would be sent)'),
  upload: lacks('no uploads through the API: CSV imports go to a storage address'),
  binary: lacks('JSON only'),
  poll: {
    answers: [json(research('running')), json(research('running')), json(research('completed'))],
    run: async (client) => (await client.research.pollUntilFinished('r1', { pollInterval: 5 })).status,
    gives: 'completed',
  },
  pages: {
    answers: [
      json({ data: [{ id: 'a' }, { id: 'b' }], hasMore: true, nextCursor: 'c2' }),
      json({ data: [{ id: 'c' }], hasMore: false, nextCursor: null }),
    ],
    run: async (client) => {
      const ids: string[] = [];
      for await (const { id } of client.websets.items.listAll('w1')) ids.push(id);
      return ids;
    },
    gives: ['a', 'b', 'c'],
  },
});
