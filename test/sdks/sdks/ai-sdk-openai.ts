import { experimental_generateSpeech, experimental_transcribe } from 'ai';
import { json } from '../../support/answers.ts';
import { aiSdkCases } from '../harness/ai-sdk.ts';
import { bytes } from '../harness/emulate.ts';
import { BINARY, FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { aiSdkOpenai as snippet } from '../snippets/ai-sdk-openai.ts';

type Client = Awaited<ReturnType<typeof snippet>>['client'];

export const aiSdkOpenai = sdk({
  name: '@ai-sdk/openai',
  package: '@ai-sdk/openai',
  provider: 'openai',
  snippet,
  ...aiSdkCases<Client>((client) => client('gpt-5.4-mini')),
  freshToken: 'function',
  upload: {
    answers: [json({ text: 'Hello' })],
    run: async (client) =>
      (await experimental_transcribe({ model: client.transcription('whisper-1'), audio: FILE })).text,
    gives: 'Hello',
  },
  binary: {
    answers: [bytes('audio/mpeg', BINARY)],
    run: async (client) =>
      (await experimental_generateSpeech({ model: client.speech('tts-1'), text: 'Hello' })).audio.uint8Array,
  },
  poll: lacks('the SDK waits for no jobs of this provider'),
  pages: lacks('no lists'),
});
