/** Orders, searches, names and colours the providers of the catalogue. */
import type { Provider, ProviderId, StoredKey } from '../client/api-responses.ts';

/** How many providers are shown before the user selects "Show all". */
const SUGGESTED_COUNT = 5;

export type ProviderGroups = {
  readonly stored: readonly Provider[];
  readonly suggested: readonly Provider[];
  readonly others: readonly Provider[];
};

/**
 * Splits the providers into three groups. `stored`: the user has a key. `suggested`: all other required providers,
 * filled up from the catalogue to `SUGGESTED_COUNT`. `others`: the rest. The catalogue lists popular providers first,
 * and each group keeps its order.
 */
export function groupProviders(
  providers: readonly Provider[],
  keys: readonly StoredKey[],
  required: readonly ProviderId[],
): ProviderGroups {
  const isStored = ({ id }: Provider) => keys.some(({ provider }) => provider === id);
  const isRequired = ({ id }: Provider) => required.includes(id);
  const missing = providers.filter((provider) => !isStored(provider));
  const ordered = [...missing.filter(isRequired), ...missing.filter((provider) => !isRequired(provider))];
  const count = Math.max(SUGGESTED_COUNT, missing.filter(isRequired).length);
  return {
    stored: providers.filter(isStored),
    suggested: ordered.slice(0, count),
    others: ordered.slice(count),
  };
}

/** The providers whose id, name or purpose contains every word of the query. Ignores case. */
export function searchProviders(providers: readonly Provider[], query: string): readonly Provider[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return providers.filter(({ id, name, purpose }) => {
    const text = `${id} ${name} ${purpose}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** The display name of a provider, or its id if the catalogue does not list it. */
export function providerName(providers: readonly Provider[], id: ProviderId): string {
  return providers.find((provider) => provider.id === id)?.name ?? id;
}

/** A hue from 0 to 359, derived from the name so that a provider always has the same colour. */
export function providerHue(name: string): number {
  return [...name].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 360, 7);
}
