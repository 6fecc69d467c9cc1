import { SdkError } from '@mendable/firecrawl-js';
import { type Answer, json } from '../../support/answers.ts';
import { FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { firecrawl as snippet } from '../snippets/firecrawl.ts';

const page = (title: string) => ({ markdown: `# ${title}`, metadata: { title, statusCode: 200 } });
const crawl = (status: string, pages: readonly string[], next?: string) => ({
  ...{ success: true, status, completed: pages.length, total: 3, data: pages.map(page) },
  ...(next === undefined ? {} : { next }),
});
const started = json({ success: true, id: 'c1', url: 'https://api.firecrawl.dev/v2/crawl/c1' });

/** As Firecrawl answers: the next page is an absolute address of its own. */
function withNext(pages: readonly string[], path: string): Answer {
  return (call, response) =>
    json(crawl('completed', pages, `http://${call.headers.host}${path}`))(call, response);
}

export const firecrawl = sdk({
  name: '@mendable/firecrawl-js',
  package: '@mendable/firecrawl-js',
  provider: 'firecrawl',
  snippet,
  answer: () => json({ success: true, data: page('Hello') }),
  gives: '# Hello',
  read: (answer) => answer.markdown,
  call: async (client) => (await client.scrape('https://example.com')).markdown,
  stream: lacks('its watcher is a WebSocket, which functions do not carry; it falls back to polling'),
  error: {
    body: { success: false, error: 'Bad model' },
    is: (error) => error instanceof SdkError,
    status: (error) => error instanceof SdkError && error.status,
  },
  abort: lacks('no signal reaches axios (dist/index.js:56)'),
  retry: lacks('only 502, not 429 (dist/index.js:80)'),
  freshToken: lacks('`apiKey` is a string'),
  upload: {
    answers: [json({ success: true, data: page('Parsed') })],
    run: async (client) => (await client.parse({ data: FILE, filename: 'a.pdf' })).markdown,
    gives: '# Parsed',
  },
  binary: lacks('JSON only'),
  poll: {
    answers: [started, json(crawl('scraping', [])), json(crawl('completed', ['a']))],
    run: async (client) => (await client.crawl('https://example.com', { pollInterval: 0.01 })).data.length,
    gives: 1,
  },
  pages: {
    answers: [
      withNext(['a'], '/v2/crawl/c1?skip=1'),
      withNext(['b'], '/v2/crawl/c1?skip=2'),
      json(crawl('completed', ['c'])),
    ],
    run: async (client) => (await client.getCrawlStatus('c1')).data.map(({ markdown }) => markdown),
    gives: ['# a', '# b', '# c'],
  },
});
