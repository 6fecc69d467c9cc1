import { createMistral } from '@ai-sdk/mistral';
import { generateText } from 'ai';
import type { Session } from '../harness/stage.ts';

export async function aiSdkMistral({ gateway, getToken }: Session) {
  const client = createMistral({ baseURL: `${gateway}/mistral/v1`, apiKey: getToken });
  const answer = await generateText({ model: client('mistral-small-latest'), prompt: 'Hello' });
  return { client, answer };
}
