import { aiSdkCases } from '../harness/ai-sdk.ts';
import { sdk } from '../harness/run-case.ts';
import { lacks } from '../harness/sdk.ts';
import { aiSdkGoogle as snippet } from '../snippets/ai-sdk-google.ts';

type Client = Awaited<ReturnType<typeof snippet>>['client'];

export const aiSdkGoogle = sdk({
  name: '@ai-sdk/google',
  package: '@ai-sdk/google',
  provider: 'gemini',
  snippet,
  ...aiSdkCases<Client>((client) => client('gemini-flash-latest')),
  freshToken: 'function',
  upload: lacks('text only here'),
  binary: lacks('text only here'),
  poll: lacks('the SDK waits for no jobs of this provider'),
  pages: lacks('no lists'),
});
