import Together from 'together-ai';
import type { Session } from '../harness/stage.ts';

export async function together({ gateway, getToken, messages }: Session) {
  const client = new Together({ baseURL: `${gateway}/together/v1`, apiKey: await getToken() });
  const answer = await client.chat.completions.create({ model: 'openai/gpt-oss-20b', messages });
  return { client, answer };
}
