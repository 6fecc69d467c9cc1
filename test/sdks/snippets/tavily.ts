import { tavily as createTavily } from '@tavily/core';
import type { Session } from '../harness/stage.ts';

export async function tavily({ gateway, getToken }: Session) {
  const client = createTavily({ apiBaseURL: `${gateway}/tavily`, apiKey: await getToken() });
  const answer = await client.search('Hello', { maxResults: 1 });
  return { client, answer };
}
