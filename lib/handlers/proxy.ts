/** The three calls that a user's own key pays for: gateway, generate, search. One KV request each. */
import type { App } from '../compose.ts';
import { Problem } from '../errors.ts';
import { guardRefusal } from '../guards/key-decision.ts';
import { modelInPath, readRequestedModels } from '../guards/requested-models.ts';
import type { Call, UserCall } from '../http/endpoint.ts';
import { findToken } from '../identity/find-token.ts';
import { findProvider, type Provider, type ProviderId } from '../providers/catalogue.ts';
import { forward, forwardUrl, pathOf, type Via } from '../gateway/forward.ts';
import type { KeyVerdict } from '../providers/key-check-result.ts';
import { type SearchBody, search } from './search.ts';
import type { UserKeys } from '../user-keys.ts';

/** The provider a path names, or Problem `unknown_provider`. */
export function providerOf({ params }: Pick<Call, 'params'>): Provider & { readonly id: ProviderId } {
  const provider = findProvider(params.provider ?? '');
  if (provider === undefined) throw new Problem('unknown_provider');
  return provider;
}

/**
 * Passes the request on to its provider. The path is checked before any key is fetched. Where the key is restricted
 * to some models, the body is read for those it names.
 */
export async function proxyCall(app: App, call: UserCall<undefined, undefined>): Promise<Response> {
  const provider = providerOf(call);
  const { journal } = call;
  const { token, header: tokenHeader } = findToken(call.request.headers, provider.credential.header) ?? {};
  const url = forwardUrl(call.request, provider, token, app.via.baseUrls);
  const path = pathOf(call.request, provider);
  const model = modelInPath(provider.id, path);
  journal.note({ route: 'gateway', model });
  const use = async (keys: UserKeys) => {
    const restrictedTo = keys.allowedModels(provider.id);
    const request = restrictedTo
      ? await allowedRequest(call.request, { path, model, restrictedTo })
      : call.request;
    if (request === undefined) throw guardRefusal(provider.id, 'model_not_allowed');
    const key = await keys.get(provider.id);
    const learn = (verdict: KeyVerdict) => keys.learn(provider.id, verdict);
    return forward(
      request,
      url,
      provider,
      { key, token, tokenHeader },
      watched(app, call, provider.id),
      learn,
    );
  };
  return app.useKeys(call.user, [provider.id], use, { journal, take: 'first', modelFor: () => model });
}

/** The request, to be sent on, if every model it may be answered by is allowed; else undefined. */
async function allowedRequest(
  incoming: Request,
  call: {
    readonly path: string;
    readonly model: string | undefined;
    readonly restrictedTo: readonly string[];
  },
): Promise<Request | undefined> {
  const { models, request } = await readRequestedModels(incoming, call.path, call.model);
  return models?.every((model) => call.restrictedTo.includes(model)) ? request : undefined;
}

/** Searches the web with the user's Exa key. A search is no model's, so a key for some models does not serve it. */
export async function searchCall(app: App, call: UserCall<SearchBody, undefined>): Promise<Response> {
  const { journal } = call;
  journal.note({ route: 'search', provider: 'exa' });
  const use = async (keys: UserKeys) =>
    search(await keys.get('exa'), call.body, call.request.signal, watched(app, call, 'exa'), (verdict) =>
      keys.learn('exa', verdict),
    );
  return app.useKeys(call.user, ['exa'], use, { journal, take: 'first', modelFor: () => null });
}

/**
 * The way out to a provider: what it answers about tokens is written down, and it learns which trace the call belongs
 * to if the operator says so.
 */
export function watched(
  app: App,
  { journal, traceparent }: Pick<UserCall<unknown, unknown>, 'journal' | 'traceparent'>,
  provider: ProviderId,
): Via {
  const send = journal.watch(app.via.send);
  if (traceparent === undefined || !app.config.traceContextTo.includes(provider)) return { ...app.via, send };
  return {
    ...app.via,
    send: (request) => send({ ...request, headers: { ...request.headers, traceparent } }),
  };
}
