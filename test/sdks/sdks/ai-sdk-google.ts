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
  upload: lacks(
    'the second of its two requests carries no credential at all (dist/index.js:4093), so the gateway refuses it; upload with @google/genai',
  ),
  binary: lacks('no binary answers'),
  poll: lacks('the SDK waits for no jobs of this provider'),
  pages: lacks('no lists'),
});
