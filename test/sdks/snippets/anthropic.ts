import Anthropic from '@anthropic-ai/sdk';
import type { Session } from '../harness/stage.ts';

export async function anthropic({ gateway, getToken, messages }: Session) {
  const client = new Anthropic({ baseURL: `${gateway}/anthropic`, apiKey: getToken });
  const answer = await client.messages.create({ model: 'claude-haiku-4-5', max_tokens: 100, messages });
  return { client, answer };
}
