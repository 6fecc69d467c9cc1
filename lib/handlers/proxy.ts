/**
 * ANY /api/proxy/{provider}/{path}: passes the request on to the provider with the caller's own key in the place of
 * the caller's token. Both directions stream.
 */

import { sendToProvider } from '../gateway/forward.ts';
import { transportFor } from '../gateway/provider-transport.ts';
import { resolveTarget } from '../gateway/target.ts';
import { guardRefusal } from '../guards/key-decision.ts';
import { modelInPath, readRequestedModels } from '../guards/requested-models.ts';
import { requireProvider, userRoute } from '../http/endpoint.ts';
import { findToken } from '../identity/find-token.ts';
import { findProvider } from '../providers/catalogue.ts';

/**
 * The provider's own answer, errors too. The path is checked before any key is fetched. Where the key is restricted to
 * models, the body is read for the models it names.
 *
 * @throws Problem `unknown_provider`, `path_refused`, `path_not_allowed`, `body_too_large`, what `KeyScope.get` throws, and
 *   `provider_unreachable`, `provider_timeout`, `provider_redirected`, `provider_error`.
 */
const proxy = userRoute(
  { audit: 'use', tokenHeader: ({ provider = '' }) => findProvider(provider)?.credential.header },
  async (call) => {
    const { app, user, journal } = call;
    const provider = requireProvider(call.params.provider);
    const { token, header: tokenHeader } = findToken(call.request.headers, provider.credential.header) ?? {};
    const target = resolveTarget(call, provider, token);
    const model = modelInPath(provider.id, target.path);
    journal.note({ route: 'gateway', model });

    const keys = await app.openKeys(user, [provider.id], { journal, take: 'first', modelFor: () => model });
    const allowed = keys.allowedModels(provider.id);
    const request = allowed
      ? await toAllowedRequest(call.request, target.path, model, allowed)
      : call.request;
    if (request === undefined) {
      throw guardRefusal('model_not_allowed', { provider: provider.id, basePath: app.basePath });
    }
    const key = await keys.get(provider.id);
    const { response, keyStatus } = await sendToProvider(transportFor(call, provider.id), {
      request,
      provider,
      target,
      credentials: { key, token, tokenHeader },
    });
    keys.recordKeyStatus(provider.id, keyStatus);
    return response;
  },
);

export const GET = proxy;
export const HEAD = proxy;
export const POST = proxy;
export const PUT = proxy;
export const PATCH = proxy;
export const DELETE = proxy;

/** The request, ready to be sent, if every model that may answer it is allowed; else undefined. */
async function toAllowedRequest(
  incoming: Request,
  path: string,
  model: string | undefined,
  allowed: readonly string[],
): Promise<Request | undefined> {
  const { models, request } = await readRequestedModels(incoming, path, model);
  return models?.every((name) => allowed.includes(name)) ? request : undefined;
}
