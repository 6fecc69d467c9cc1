import { OpenRouter } from '@openrouter/sdk';
import type { Session } from '../harness/stage.ts';

export async function openrouter({ gateway, getToken, messages }: Session) {
  const client = new OpenRouter({ serverURL: `${gateway}/openrouter/api/v1`, apiKey: getToken });
  const answer = await client.chat.send({ chatRequest: { model: 'openai/gpt-5.4-mini', messages } });
  return { client, answer };
}
