import { uploadFile } from 'ai';
import { json } from '../../support/answers.ts';
import { aiSdkCases } from '../harness/ai-sdk.ts';
import { FILE, sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { aiSdkAnthropic as snippet } from '../snippets/ai-sdk-anthropic.ts';

type Client = Awaited<ReturnType<typeof snippet>>['client'];

export const aiSdkAnthropic = sdk({
  name: '@ai-sdk/anthropic',
  package: '@ai-sdk/anthropic',
  provider: 'anthropic',
  snippet,
  ...aiSdkCases<Client>((client) => client('claude-haiku-4-5')),
  freshToken: 'function',
  upload: {
    answers: [
      json({
        id: 'file-1',
        type: 'file',
        filename: 'a.txt',
        mime_type: 'text/plain',
        size_bytes: 1,
        created_at: '2026-01-01T00:00:00Z',
      }),
    ],
    run: async (client) => {
      const { providerReference } = await uploadFile({
        api: client.files(),
        data: FILE,
        filename: 'a.txt',
        mediaType: 'text/plain',
      });
      return providerReference.anthropic;
    },
    gives: 'file-1',
  },
  binary: lacks('no binary answers'),
  poll: lacks('the SDK waits for no jobs of this provider'),
  pages: lacks('no lists'),
});
