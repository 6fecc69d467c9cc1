import { experimental_generateSpeech, uploadFile } from 'ai';
import { json } from '../../support/answers.ts';
import { aiSdkCases } from '../harness/ai-sdk.ts';
import { bytes } from '../harness/emulate.ts';
import { BINARY, FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { aiSdkXai as snippet } from '../snippets/ai-sdk-xai.ts';

type Client = Awaited<ReturnType<typeof snippet>>['client'];

export const aiSdkXai = sdk({
  name: '@ai-sdk/xai',
  package: '@ai-sdk/xai',
  provider: 'xai',
  snippet,
  ...aiSdkCases<Client>((client) => client('grok-4')),
  freshToken: lacks('`apiKey` is a string'),
  upload: {
    answers: [json({ id: 'file-1', object: 'file', filename: 'a.txt', bytes: 1, created_at: 1 })],
    run: async (client) => {
      const { providerReference } = await uploadFile({
        api: client.files(),
        data: FILE,
        filename: 'a.txt',
        mediaType: 'text/plain',
      });
      return providerReference.xai;
    },
    gives: 'file-1',
  },
  binary: {
    answers: [bytes('audio/mpeg', BINARY)],
    run: async (client) =>
      (await experimental_generateSpeech({ model: client.speech(), text: 'Hello' })).audio.uint8Array,
  },
  poll: lacks('the SDK waits for no jobs of this provider'),
  pages: lacks('no lists'),
});
