/** What anybody may know of the catalogue. */
import { catalogue } from '../providers/catalogue.ts';
import { GENERATING } from '../providers/generating.ts';

/** `{providers: [{id, name, purpose, keyPage, gateway, generate, search, publishable}]}` in the catalogue's order. */
export function describeCatalogue() {
  const generating = new Set<string>(GENERATING);
  return {
    providers: catalogue.map(({ id, name, purpose, keyPage, publishable }) => ({
      id,
      name,
      purpose,
      keyPage,
      /** What an SDK takes as its base URL, below this deployment's origin. */
      gateway: `/api/proxy/${id}`,
      generate: generating.has(id),
      search: id === 'exa',
      publishable: publishable ?? false,
    })),
  };
}
