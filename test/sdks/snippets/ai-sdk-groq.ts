import { createGroq } from '@ai-sdk/groq';
import { generateText } from 'ai';
import type { Session } from '../harness/stage.ts';

export async function aiSdkGroq({ gateway, getToken }: Session) {
  const client = createGroq({ baseURL: `${gateway}/groq/openai/v1`, apiKey: getToken });
  const answer = await generateText({ model: client('openai/gpt-oss-20b'), prompt: 'Hello' });
  return { client, answer };
}
