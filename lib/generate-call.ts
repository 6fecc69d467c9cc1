/** `/api/generate`: kept apart from the other calls, because the AI SDK is what makes its import dear. */
import type { App } from './compose.ts';
import { Problem } from './errors.ts';
import type { UserCall } from './http/endpoint.ts';
import { generate } from './providers/generate.ts';
import type { GenerateBody } from './providers/generate-body.ts';
import { GENERATING, type GeneratingProvider } from './providers/generating.ts';
import type { Secret } from './secret.ts';
import type { UserKeys } from './user-keys.ts';

/** Answers a prompt or a chat with the named provider, or the first one the user has a key for. */
export async function generateCall(app: App, call: UserCall<GenerateBody, undefined>): Promise<Response> {
  const wanted = call.body.provider === undefined ? GENERATING : [call.body.provider];
  return app.useKeys(call.user, wanted, async (keys) => {
    const { provider, key } = await firstKey(keys, wanted);
    return generate(provider, key, call.body, call.request.signal, app.via, (verdict) =>
      keys.learn(provider, verdict),
    );
  });
}

async function firstKey(
  keys: UserKeys,
  providers: readonly GeneratingProvider[],
): Promise<{ readonly provider: GeneratingProvider; readonly key: Secret }> {
  for (const provider of providers) {
    try {
      return { provider, key: await keys.get(provider) };
    } catch (error) {
      const goOn = error instanceof Problem && error.code === 'key_missing' && providers.length > 1;
      if (!goOn) throw error;
    }
  }
  throw new Problem('key_missing', {
    detail: `You have not stored a key for any of ${providers.join(', ')}. Add one with PUT /api/keys/{provider}.`,
    members: { addKeyAt: '/api/keys' },
  });
}
