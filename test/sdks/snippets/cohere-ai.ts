import { CohereClientV2 } from 'cohere-ai';
import type { Session } from '../harness/stage.ts';

export async function cohere({ gateway, getToken, messages }: Session) {
  const client = new CohereClientV2({ environment: `${gateway}/cohere`, token: getToken });
  const answer = await client.chat({ model: 'command-a-03-2025', messages });
  return { client, answer };
}
