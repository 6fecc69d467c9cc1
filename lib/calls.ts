/** The three calls that a user's own key pays for: gateway, generate, search. One KV request each. */
import type { App } from './compose.ts';
import { Problem } from './errors.ts';
import type { Call, UserCall } from './http/endpoint.ts';
import { findToken } from './identity/find-token.ts';
import { findProvider, type Provider, type ProviderId } from './providers/catalogue.ts';
import { forward, forwardUrl } from './providers/forward.ts';
import type { KeyVerdict } from './providers/judge-answer.ts';
import { type SearchBody, search } from './providers/search.ts';

/** The provider a path names, or Problem `unknown_provider`. */
export function providerOf({ params }: Pick<Call, 'params'>): Provider & { readonly id: ProviderId } {
  const provider = findProvider(params.provider ?? '');
  if (provider === undefined) throw new Problem('unknown_provider');
  return provider;
}

/** Passes the request on to its provider. The path is checked before any key is fetched. */
export async function proxyCall(app: App, call: UserCall<undefined, undefined>): Promise<Response> {
  const provider = providerOf(call);
  const { token, header: tokenHeader } = findToken(call.request.headers, provider.credential.header) ?? {};
  const url = forwardUrl(call.request, provider, token, app.via.baseUrls);
  return app.useKeys(call.user, [provider.id], async (keys) => {
    const key = await keys.get(provider.id);
    const learn = (verdict: KeyVerdict) => keys.learn(provider.id, verdict);
    return forward(call.request, url, provider, { key, token, tokenHeader }, app.via, learn);
  });
}

/** Searches the web with the user's Exa key. */
export async function searchCall(app: App, call: UserCall<SearchBody, undefined>): Promise<Response> {
  return app.useKeys(call.user, ['exa'], async (keys) =>
    search(await keys.get('exa'), call.body, call.request.signal, app.via, (verdict) =>
      keys.learn('exa', verdict),
    ),
  );
}
