import { InferenceClient } from '@huggingface/inference';
import type { Session } from '../harness/stage.ts';

export async function huggingface({ gateway, getToken, messages }: Session) {
  const client = new InferenceClient(await getToken(), { endpointUrl: `${gateway}/huggingface/v1` });
  const answer = await client.chatCompletion({ model: 'openai/gpt-oss-20b', messages });
  return { client, answer };
}
