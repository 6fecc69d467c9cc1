import Perplexity from '@perplexity-ai/perplexity_ai';
import type { Session } from '../harness/stage.ts';

export async function perplexity({ gateway, getToken, messages }: Session) {
  const client = new Perplexity({ baseURL: `${gateway}/perplexity`, apiKey: await getToken() });
  const answer = await client.chat.completions.create({ model: 'sonar', messages });
  return { client, answer };
}
