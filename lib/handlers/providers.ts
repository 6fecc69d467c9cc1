/** GET /api/providers: the public part of the provider catalogue. */
import { publicRoute } from '../http/endpoint.ts';
import { json } from '../http/json.ts';
import { catalogue, generatingProviders } from '../providers/catalogue.ts';

/** `{providers: [{id, name, purpose, keyPage, gateway, generate, search, publishable}]}` in the catalogue's order. */
export const GET = publicRoute(({ app }) => json(describeCatalogue(app.basePath)));

export function describeCatalogue(basePath: string) {
  const generating = new Set<string>(generatingProviders);
  return {
    providers: catalogue.map(({ id, name, purpose, keyPage, publishable }) => ({
      id,
      name,
      purpose,
      keyPage,
      /** The base URL for the provider's SDK, below this deployment's origin. */
      gateway: `${basePath}/proxy/${id}`,
      generate: generating.has(id),
      search: id === 'exa',
      publishable: publishable ?? false,
    })),
  };
}
