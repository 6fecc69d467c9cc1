import { experimental_transcribe } from 'ai';
import { json } from '../../support/answers.ts';
import { aiSdkCases } from '../harness/ai-sdk.ts';
import { FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { aiSdkGroq as snippet } from '../snippets/ai-sdk-groq.ts';

type Client = Awaited<ReturnType<typeof snippet>>['client'];

export const aiSdkGroq = sdk({
  name: '@ai-sdk/groq',
  package: '@ai-sdk/groq',
  provider: 'groq',
  snippet,
  ...aiSdkCases<Client>((client) => client('openai/gpt-oss-20b')),
  freshToken: 'function',
  upload: {
    answers: [json({ text: 'Hello', x_groq: { id: 'r1' } })],
    run: async (client) =>
      (await experimental_transcribe({ model: client.transcription('whisper-1'), audio: FILE })).text,
    gives: 'Hello',
  },
  binary: lacks('no binary answers'),
  poll: lacks('the SDK waits for no jobs of this provider'),
  pages: lacks('no lists'),
});
