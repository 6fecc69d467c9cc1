/** Where a gateway request goes, checked before any key is fetched. */
import { Problem } from '../errors.ts';
import type { Provider } from '../providers/catalogue.ts';
import { type BaseUrls, joinProviderUrl, providerBase } from '../providers/provider-url.ts';
import type { Secret } from '../secret.ts';
import { isDeniedPath } from './denied-paths.ts';
import { type LinkRewriter, linkRewriter } from './link-rewriter.ts';
import { containsToken } from './token-leak.ts';

export type Target = {
  readonly url: string;
  /** The path at the provider, as the caller wrote it. */
  readonly path: string;
  /** For addresses in the provider's answer. */
  readonly links: LinkRewriter;
};

type GatewayCall = {
  readonly app: { readonly basePath: string; readonly config: { readonly baseUrls: BaseUrls } };
  readonly request: Request;
  readonly rest: string;
};

/**
 * The address at the provider for a request on `/api/proxy/<provider>/…`. Query parameters that carry a credential are
 * removed; every other byte of path and query stays as it is.
 *
 * @throws Problem `path_refused`, and `path_not_allowed` for account and key administration.
 */
export function resolveTarget(
  { app, request, rest }: GatewayCall,
  provider: Provider,
  token: Secret | undefined,
): Target {
  const path = rest || '/';
  if (containsToken(path, token)) throw new Problem('path_refused', { reason: 'path_holds_token' });
  const search = withoutCredentials(new URL(request.url).search, provider, token);
  const base = providerBase(provider, app.config.baseUrls);
  const url = joinProviderUrl(base, path, search);
  if (isDeniedPath(provider, new URL(base).pathname, path)) throw new Problem('path_not_allowed');
  return {
    url,
    path,
    links: linkRewriter(request, base, `${app.basePath}/proxy/${provider.id}`),
  };
}

/** The query, byte for byte, without the parameters that carry a key or the caller's token. */
function withoutCredentials(search: string, provider: Provider, token: Secret | undefined): string {
  const kept = search
    .slice(1)
    .split('&')
    .filter((pair) => {
      const [[name] = ['']] = [...new URLSearchParams(pair)];
      return !(provider.queryCredentials?.includes(name) || containsToken(pair, token));
    })
    .join('&');
  return kept === '' ? '' : `?${kept}`;
}
