import { randomBytes } from 'node:crypto';
import type { ProviderId } from '../../lib/providers/catalogue.ts';

/** The keys that exist in a demo, and whose they are. */
export type KeyBook = {
  /** Makes a key of that provider for that user. It exists nowhere else. */
  issue(provider: ProviderId, owner: string): string;
  /** Whose key this is, when that provider issued it. */
  ownerOf(provider: ProviderId, key: string): string | undefined;
  /** Every key. */
  all(): readonly string[];
};

export function createKeyBook(): KeyBook {
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

/** As much of a key as may be shown: its last four characters. */
export function hintOf(key: string): string {
  return `…${key.slice(-4)}`;
}
