import { randomBytes } from 'node:crypto';
import type { ProviderId } from '../../lib/providers/catalogue.ts';

/** The provider keys of a demo and their owners. */
export type IssuedKeys = {
  /** Makes a new key of that provider for that user. */
  issue(provider: ProviderId, owner: string): string;
  /** The owner of a key, or undefined when that provider has not issued it. */
  ownerOf(provider: ProviderId, key: string): string | undefined;
  /** Every key. */
  all(): readonly string[];
};

export function createIssuedKeys(): IssuedKeys {
  const owners = new Map<string, { readonly provider: ProviderId; readonly owner: string }>();
  return {
    issue(provider, owner) {
      const key = `demo-${provider}-${randomBytes(24).toString('hex')}`;
      owners.set(key, { provider, owner });
      return key;
    },
    ownerOf(provider, key) {
      const entry = owners.get(key);
      return entry?.provider === provider ? entry.owner : undefined;
    },
    all: () => [...owners.keys()],
  };
}

/** The part of a key that may be shown: its last four characters. */
export function hintOf(key: string): string {
  return `…${key.slice(-4)}`;
}
