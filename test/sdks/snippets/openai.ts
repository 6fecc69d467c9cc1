import OpenAI from 'openai';
import type { Session } from '../harness/stage.ts';

export async function openai({ gateway, getToken }: Session) {
  const client = new OpenAI({ baseURL: `${gateway}/openai/v1`, apiKey: getToken });
  const answer = await client.responses.create({ model: 'gpt-5.4-mini', input: 'Hello' });
  return { client, answer };
}
