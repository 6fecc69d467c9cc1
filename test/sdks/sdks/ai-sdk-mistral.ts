import { experimental_transcribe } from 'ai';
import { json } from '../../support/answers.ts';
import { aiSdkCases } from '../harness/ai-sdk.ts';
import { FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { aiSdkMistral as snippet } from '../snippets/ai-sdk-mistral.ts';

type Client = Awaited<ReturnType<typeof snippet>>['client'];

export const aiSdkMistral = sdk({
  name: '@ai-sdk/mistral',
  package: '@ai-sdk/mistral',
  provider: 'mistral',
  snippet,
  ...aiSdkCases<Client>((client) => client('mistral-small-latest')),
  freshToken: 'function',
  upload: {
    answers: [json({ text: 'Hello', model: 'm', language: 'en', usage: {} })],
    run: async (client) =>
      (await experimental_transcribe({ model: client.transcription('whisper-1'), audio: FILE })).text,
    gives: 'Hello',
  },
  binary: lacks('no binary answers'),
  poll: lacks('the SDK waits for no jobs of this provider'),
  pages: lacks('no lists'),
});
