import Groq from 'groq-sdk';
import type { Session } from '../harness/stage.ts';

export async function groq({ gateway, getToken, messages }: Session) {
  const client = new Groq({ baseURL: `${gateway}/groq`, apiKey: await getToken() });
  const answer = await client.chat.completions.create({ model: 'openai/gpt-oss-20b', messages });
  return { client, answer };
}
