import { aiSdkCases } from '../harness/ai-sdk.ts';
import { sdk } from '../harness/run-case.ts';
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
  upload: lacks('text only here'),
  binary: lacks('text only here'),
  poll: lacks('the SDK waits for no jobs of this provider'),
  pages: lacks('no lists'),
});
