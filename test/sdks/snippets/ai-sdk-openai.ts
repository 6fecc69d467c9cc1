import { createOpenAI } from '@ai-sdk/openai';
import { generateText } from 'ai';
import type { Session } from '../harness/stage.ts';

export async function aiSdkOpenai({ gateway, getToken }: Session) {
  const client = createOpenAI({ baseURL: `${gateway}/openai/v1`, apiKey: getToken });
  const answer = await generateText({ model: client('gpt-5.4-mini'), prompt: 'Hello' });
  return { client, answer };
}
