import { createXai } from '@ai-sdk/xai';
import { generateText } from 'ai';
import type { Session } from '../harness/stage.ts';

export async function aiSdkXai({ gateway, getToken }: Session) {
  const client = createXai({ baseURL: `${gateway}/xai/v1`, apiKey: await getToken() });
  const answer = await generateText({ model: client('grok-4'), prompt: 'Hello' });
  return { client, answer };
}
