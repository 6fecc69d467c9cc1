import { createGoogle } from '@ai-sdk/google';
import { generateText } from 'ai';
import type { Session } from '../harness/stage.ts';

export async function aiSdkGoogle({ gateway, getToken }: Session) {
  const client = createGoogle({ baseURL: `${gateway}/gemini/v1beta`, apiKey: getToken });
  const answer = await generateText({ model: client('gemini-flash-latest'), prompt: 'Hello' });
  return { client, answer };
}
