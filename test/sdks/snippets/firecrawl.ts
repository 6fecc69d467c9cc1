import { Firecrawl } from '@mendable/firecrawl-js';
import type { Session } from '../harness/stage.ts';

export async function firecrawl({ gateway, getToken }: Session) {
  const client = new Firecrawl({ apiUrl: `${gateway}/firecrawl`, apiKey: await getToken() });
  const answer = await client.scrape('https://example.com', { formats: ['markdown'] });
  return { client, answer };
}
