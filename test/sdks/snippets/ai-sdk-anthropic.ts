import { createAnthropic } from '@ai-sdk/anthropic';
import { generateText } from 'ai';
import type { Session } from '../harness/stage.ts';

export async function aiSdkAnthropic({ gateway, getToken }: Session) {
  const client = createAnthropic({ baseURL: `${gateway}/anthropic/v1`, authToken: getToken });
  const answer = await generateText({ model: client('claude-haiku-4-5'), prompt: 'Hello' });
  return { client, answer };
}
