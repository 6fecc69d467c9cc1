/**
 * A self-hosted CopilotKit runtime. Every model call is paid with the signed-in user's own OpenAI key. The runtime
 * stores no key and no user: it creates an agent for each request, from the session token of that request.
 */
import { createOpenAI } from '@ai-sdk/openai';
import { BuiltInAgent, CopilotRuntime, createCopilotRuntimeHandler } from '@copilotkit/runtime/v2';

/** `gateway` is the address of the userkeys gateway, such as `https://keys.example/api/proxy`. */
export function createCopilotKit(gateway: string): (request: Request) => Promise<Response> {
  const runtime = new CopilotRuntime({
    agents: ({ request }) => {
      const openai = createOpenAI({ baseURL: `${gateway}/openai/v1`, apiKey: bearerToken(request) });
      return { default: new BuiltInAgent({ model: openai('gpt-5.4-mini') }) };
    },
  });
  return createCopilotRuntimeHandler({ runtime, basePath: '/api/copilotkit' });
}

/** The gateway verifies the token. For an empty string it answers 401 `token_missing`. */
function bearerToken(request: Request): string {
  return /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? '';
}
