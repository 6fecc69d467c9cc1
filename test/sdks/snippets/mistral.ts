import { Mistral } from '@mistralai/mistralai';
import type { Session } from '../harness/stage.ts';

export async function mistral({ gateway, getToken, messages }: Session) {
  const client = new Mistral({ serverURL: `${gateway}/mistral`, apiKey: getToken });
  const answer = await client.chat.complete({ model: 'mistral-small-latest', messages });
  return { client, answer };
}
