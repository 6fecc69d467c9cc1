import { GoogleGenAI } from '@google/genai';
import type { Session } from '../harness/stage.ts';

export async function googleGenai({ gateway, getToken }: Session) {
  const client = new GoogleGenAI({ apiKey: await getToken(), httpOptions: { baseUrl: `${gateway}/gemini` } });
  const answer = await client.models.generateContent({ model: 'gemini-flash-latest', contents: 'Hello' });
  return { client, answer };
}
