/**
 * One user's keys, for one invocation. A key is opened when it is asked for, for its owner, and nothing of it
 * outlives the scope.
 */
import { Problem } from './errors.ts';
import type { UserId } from './identity/user-id.ts';
import { findProvider, type ProviderId } from './providers/catalogue.ts';
import type { Secret } from './secret.ts';
import type { Bundle } from './vault/bundle.ts';
import { openKey } from './vault/envelope.ts';
import type { KeyRing } from './vault/key-ring.ts';

export type UserKeys = {
  /**
   * The user's own key for a provider.
   *
   * @throws Problem `key_missing` when the user has stored none, `key_unreadable` when it does not open. Never
   *   somebody else's key. Error after the scope has closed.
   */
  get(provider: ProviderId): Promise<Secret>;
};

/**
 * Runs `fn` with the keys of a bundle and closes the scope once it has settled, returned or thrown.
 */
export async function openUserKeys<T>(
  from: {
    readonly ring: KeyRing;
    readonly user: UserId;
    readonly bundle: Bundle;
    /** Told of every provider whose key was opened, once. */
    readonly noteOpened: (provider: ProviderId) => void;
  },
  fn: (keys: UserKeys) => T | Promise<T>,
): Promise<T> {
  let closed = false;
  const opened = new Set<ProviderId>();
  const assertOpen = () => {
    if (closed) throw new Error('The scope of these keys is closed; ask for keys inside withUserKeys.');
  };
  const keys: UserKeys = {
    async get(provider) {
      assertOpen();
      const record = from.bundle.get(provider);
      if (record === undefined) throw keyMissing(provider);
      if (record.record === undefined) throw new Problem('key_unreadable', { members: { provider } });
      const key = await openKey(from.ring, { user: from.user, provider }, record.record.jwe);
      assertOpen();
      opened.add(provider);
      return key;
    },
  };
  try {
    return await fn(keys);
  } finally {
    closed = true;
    for (const provider of opened) from.noteOpened(provider);
  }
}

/** Says whose key is missing and where to add one. */
export function keyMissing(provider: ProviderId): Problem {
  const { name, keyPage } = findProvider(provider) ?? { name: provider, keyPage: '' };
  return new Problem('key_missing', {
    detail: `You have not stored a key for ${name}. Add one with PUT /api/keys/${provider}.`,
    members: { provider, addKeyAt: `/api/keys/${provider}`, getKeyAt: keyPage },
  });
}
