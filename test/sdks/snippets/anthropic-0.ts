import Anthropic from 'anthropic-sdk-0';
import type { Session } from '../harness/stage.ts';

export async function anthropic0({ gateway, getToken, messages }: Session) {
  const client = new Anthropic({ baseURL: `${gateway}/anthropic`, apiKey: await getToken() });
  const answer = await client.messages.create({ model: 'claude-haiku-4-5', max_tokens: 100, messages });
  return { client, answer };
}
