import { ElevenLabsClient } from '@elevenlabs/elevenlabs-js';
import type { Session } from '../harness/stage.ts';

export async function elevenlabs({ gateway, getToken }: Session) {
  const client = new ElevenLabsClient({ baseUrl: `${gateway}/elevenlabs`, apiKey: getToken });
  const answer = await client.textToSpeech.convert('JBFqnCBsd6RMkjVDRZzb', { text: 'Hello' });
  return { client, answer };
}
