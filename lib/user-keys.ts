/**
 * One user's keys, for one invocation. A key is opened when it is asked for, for its owner, and nothing of it
 * outlives the scope.
 */
import { Problem } from './errors.ts';
import type { UserId } from './identity/user-id.ts';
import { findProvider, type ProviderId } from './providers/catalogue.ts';
import type { KeyVerdict } from './providers/key-check-result.ts';
import type { Secret } from './secret.ts';
import type { Bundle, BundleEntry } from './vault/records.ts';
import { openKey } from './vault/envelope.ts';
import type { KeyRing } from './vault/key-ring.ts';

export type UserKeys = {
  /**
   * The user's own key for a provider.
   *
   * @throws Problem `key_missing` when the user has stored none, `key_unreadable` when it does not open,
   *   `key_paused`, `key_expired`, `model_not_allowed` or `daily_limit_reached` when the user's own guards keep it
   *   from being used. Never somebody else's key. Error after the scope has closed.
   */
  get(provider: ProviderId): Promise<Secret>;
  /** A key that was got and not used after all: nothing is noted of it, and its day gets the call back. */
  giveBack(provider: ProviderId): void;
  /** The models the user has restricted a key to; undefined: any. Whoever knows the model must refuse others. */
  allowedModels(provider: ProviderId): readonly string[] | undefined;
  /**
   * Takes note of what the provider said about a key that was got here. If it is news, it is written down after
   * the response, unless the key has been saved anew meanwhile.
   */
  learn(provider: ProviderId, verdict: KeyVerdict): void;
};

/**
 * Runs `fn` with the keys of a bundle and closes the scope once it has settled, returned or thrown.
 */
export async function openUserKeys<T>(
  from: {
    readonly ring: KeyRing;
    readonly user: UserId;
    readonly bundle: Bundle;
    /** Keys that come before the bundle's: those of `.env`, in local mode alone. */
    readonly fromFile?: ReadonlyMap<ProviderId, Secret> | undefined;
    /** Throws the Problem that keeps a key from being used now. */
    readonly assertMayUse: (provider: ProviderId) => void;
    readonly allowedModels: UserKeys['allowedModels'];
    /** Runs the opening of a key. */
    readonly open: (work: () => Promise<Secret>) => Promise<Secret>;
    /** Told of every provider whose key was given out, once, and whether it was the stored one. */
    readonly noteOpened: (provider: ProviderId, isStored: boolean) => void;
    /** Told what a provider said about a key, and the entry it was opened from. */
    readonly noteVerdict: (provider: ProviderId, entry: BundleEntry, verdict: KeyVerdict) => void;
  },
  fn: (keys: UserKeys) => T | Promise<T>,
): Promise<T> {
  let closed = false;
  const used = new Set<ProviderId>();
  const opened = new Map<ProviderId, BundleEntry>();
  const assertOpen = () => {
    if (closed) throw new Error('The scope of these keys is closed; ask for keys inside withUserKeys.');
  };
  const openStored = async (provider: ProviderId, entry: BundleEntry | undefined): Promise<Secret> => {
    if (entry === undefined) throw keyMissing(provider);
    if (entry.record === undefined) throw new Problem('key_unreadable', { members: { provider } });
    return openKey(from.ring, { user: from.user, provider }, entry.record.jwe);
  };
  const keys: UserKeys = {
    async get(provider) {
      assertOpen();
      from.assertMayUse(provider);
      const entry = from.bundle.get(provider);
      const fileKey = from.fromFile?.get(provider);
      const stored = from.open(() => openStored(provider, entry));
      const key = fileKey ?? (await stored);
      // What is noted of a key is noted of the stored one: of a key in the file only if it is the same.
      const same =
        fileKey === undefined || (await stored.catch(() => undefined))?.reveal() === fileKey.reveal();
      assertOpen();
      used.add(provider);
      if (entry !== undefined && same) opened.set(provider, entry);
      return key;
    },
    giveBack: (provider) => void used.delete(provider),
    allowedModels: from.allowedModels,
    learn(provider, verdict) {
      const entry = opened.get(provider);
      if (entry !== undefined) from.noteVerdict(provider, entry, verdict);
    },
  };
  try {
    return await fn(keys);
  } finally {
    closed = true;
    for (const provider of used) from.noteOpened(provider, opened.has(provider));
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
