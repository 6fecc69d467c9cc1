/**
 * A self-hosted CopilotKit runtime: every model call is paid by the signed-in user's own OpenAI key. It holds no key
 * and no user. The agent is made for one request, out of that request's own token, and dropped.
 */
import { createOpenAI } from '@ai-sdk/openai';
import { BuiltInAgent, CopilotRuntime, createCopilotRuntimeHandler } from '@copilotkit/runtime/v2';

/** `gateway`: where userkeys is, such as `https://keys.example/api/proxy`. */
export function createCopilotKit(gateway: string): (request: Request) => Promise<Response> {
  const runtime = new CopilotRuntime({
    agents: ({ request }) => {
      const openai = createOpenAI({ baseURL: `${gateway}/openai/v1`, apiKey: bearerToken(request) });
      return { default: new BuiltInAgent({ model: openai('gpt-5.4-mini') }) };
    },
  });
  return createCopilotRuntimeHandler({ runtime, basePath: '/api/copilotkit' });
}

/** The gateway verifies it; without one it answers 401 `token_missing`, so an empty string will do. */
function bearerToken(request: Request): string {
  return /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? '';
}
