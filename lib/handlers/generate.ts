/** POST /api/generate: answers a prompt or a chat with the caller's own key. */
import { Problem } from '../errors.ts';
import { transportFor } from '../gateway/provider-transport.ts';
import { generate } from '../generate/generate.ts';
import { generateBody } from '../generate/generate-body.ts';
import { languageModels } from '../generate/language-models.ts';
import { isGuardCode } from '../guards/key-decision.ts';
import { requireProvider, userRoute } from '../http/endpoint.ts';
import type { KeyScope } from '../keys/key-scope.ts';
import { MAX_PROMPT_BYTES } from '../limits.ts';
import { type GeneratingProvider, generatingProviders } from '../providers/catalogue.ts';
import type { Secret } from '../secret.ts';

/**
 * Uses the provider that the body names, or the first provider whose key the user has stored and allows for this call.
 * A key that is paused, expired or over its daily limit is skipped like one that is not stored.
 *
 * @throws Problem as `generate` and `KeyScope.get` do.
 */
export const POST = userRoute(
  { audit: 'use', body: generateBody, maxBodyBytes: MAX_PROMPT_BYTES },
  async (call) => {
    const { app, user, journal, body, request } = call;
    const wanted = body.provider === undefined ? generatingProviders : [body.provider];
    const modelOf = (provider: GeneratingProvider) => body.model ?? languageModels[provider].defaultModel;
    journal.note({ route: 'generate', ...(body.provider && { provider: body.provider }), model: body.model });

    const keys = await app.openKeys(user, wanted, {
      journal,
      take: 'first',
      modelFor: (provider) => modelOf(wanted.find((id) => id === provider) ?? generatingProviders[0]),
    });
    const { id, key } = await firstUsableKey(keys, wanted, app.basePath);
    journal.note({ provider: id, model: modelOf(id) });
    return generate(transportFor(call, id), {
      provider: { ...requireProvider(id), id },
      key,
      body,
      signal: request.signal,
      onKeyStatus: (result) => keys.recordKeyStatus(id, result),
    });
  },
);

/** @throws Problem the first refusal by a guard, else `key_missing`. */
async function firstUsableKey(
  keys: KeyScope,
  wanted: readonly GeneratingProvider[],
  basePath: string,
): Promise<{ readonly id: GeneratingProvider; readonly key: Secret }> {
  let refusal: Problem | undefined;
  for (const id of wanted) {
    try {
      return { id, key: await keys.get(id) };
    } catch (error) {
      if (!(error instanceof Problem) || wanted.length === 1) throw error;
      if (isGuardCode(error.code)) refusal ??= error;
      else if (error.code !== 'key_missing') throw error;
    }
  }
  if (refusal !== undefined) throw refusal;
  throw new Problem('key_missing', {
    detail: `You have not stored a key for any of ${wanted.join(', ')}. Add one with PUT ${basePath}/keys/{provider}.`,
    members: { addKeyAt: `${basePath}/keys` },
  });
}
