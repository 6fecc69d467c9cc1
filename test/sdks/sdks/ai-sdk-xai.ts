import { experimental_generateSpeech } from 'ai';
import { aiSdkCases } from '../harness/ai-sdk.ts';
import { bytes } from '../harness/emulate.ts';
import { BINARY, sdk } from '../harness/run-case.ts';
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
  upload: lacks('text only here'),
  binary: {
    answers: [bytes('audio/mpeg', BINARY)],
    run: async (client) =>
      (await experimental_generateSpeech({ model: client.speech(), text: 'Hello' })).audio.uint8Array,
  },
  poll: lacks('the SDK waits for no jobs of this provider'),
  pages: lacks('no lists'),
});
