/** Which providers a person sees first. */
import type { Provider, ProviderName, StoredKey } from '../client/answers.ts';

/** How many are shown before the person asks for more. */
const SUGGESTED = 5;

export type Arranged = {
  readonly stored: readonly Provider[];
  readonly suggested: readonly Provider[];
  readonly others: readonly Provider[];
};

/**
 * Those with a key; of the rest the required ones, then as many as make a short list, in the catalogue's order,
 * which begins with what most people need; then all others.
 */
export function arrangeProviders(
  providers: readonly Provider[],
  keys: readonly StoredKey[],
  required: readonly ProviderName[],
): Arranged {
  const isStored = ({ id }: Provider) => keys.some(({ provider }) => provider === id);
  const isRequired = ({ id }: Provider) => required.includes(id);
  const missing = providers.filter((provider) => !isStored(provider));
  const ordered = [...missing.filter(isRequired), ...missing.filter((provider) => !isRequired(provider))];
  const count = Math.max(SUGGESTED, missing.filter(isRequired).length);
  return {
    stored: providers.filter(isStored),
    suggested: ordered.slice(0, count),
    others: ordered.slice(count),
  };
}

/** Those whose name or purpose has every word of the query in it. */
export function matchProviders(providers: readonly Provider[], query: string): readonly Provider[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return providers.filter(({ id, name, purpose }) => {
    const text = `${id} ${name} ${purpose}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
