/** `/api/generate`: kept apart from the other calls, because the AI SDK is what makes its import dear. */
import { watched } from './proxy.ts';
import type { App } from '../compose.ts';
import { Problem } from '../errors.ts';
import { isGuardCode } from '../guards/key-decision.ts';
import type { UserCall } from '../http/endpoint.ts';
import { generate } from '../generate/generate.ts';
import type { GenerateBody } from '../generate/generate-body.ts';
import { generators } from '../generate/language-models.ts';
import { GENERATING, type GeneratingProvider } from '../providers/generating.ts';
import type { Secret } from '../secret.ts';
import type { UserKeys } from '../user-keys.ts';

/**
 * Answers a prompt or a chat with the named provider, or the first one whose key the user has and lets be used for
 * it: a key that is paused, expired or used up for the day is passed over like one that is not there.
 */
export async function generateCall(app: App, call: UserCall<GenerateBody, undefined>): Promise<Response> {
  const { journal, body } = call;
  const wanted = body.provider === undefined ? GENERATING : [body.provider];
  const modelFor = (provider: GeneratingProvider) => body.model ?? generators[provider].defaultModel;
  journal.note({ route: 'generate', ...(body.provider && { provider: body.provider }), model: body.model });
  const use = async (keys: UserKeys) => {
    const { provider, key } = await firstKey(keys, wanted);
    journal.note({ provider, model: modelFor(provider) });
    return generate(provider, key, body, call.request.signal, watched(app, call, provider), (verdict) =>
      keys.learn(provider, verdict),
    );
  };
  return app.useKeys(call.user, wanted, use, {
    journal,
    take: 'first',
    modelFor: (provider) => modelFor(wanted.find((id) => id === provider) ?? GENERATING[0]),
  });
}

async function firstKey(
  keys: UserKeys,
  providers: readonly GeneratingProvider[],
): Promise<{ readonly provider: GeneratingProvider; readonly key: Secret }> {
  let refusal: Problem | undefined;
  for (const provider of providers) {
    try {
      return { provider, key: await keys.get(provider) };
    } catch (error) {
      if (!(error instanceof Problem) || providers.length === 1) throw error;
      if (isGuardCode(error.code)) refusal ??= error;
      else if (error.code !== 'key_missing') throw error;
    }
  }
  if (refusal !== undefined) throw refusal;
  throw new Problem('key_missing', {
    detail: `You have not stored a key for any of ${providers.join(', ')}. Add one with PUT /api/keys/{provider}.`,
    members: { addKeyAt: '/api/keys' },
  });
}
