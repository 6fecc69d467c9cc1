/** A user's keys as the user manages them: list, save, check again, remove. */
import { Problem } from '../errors.ts';
import type { GuardsPatch, GuardsView } from '../guards/guards.ts';
import { changeGuards, deleteAllGuards, deleteGuards, readGuards } from '../guards/stored-guards.ts';
import type { UserId } from '../identity/user-id.ts';
import { type CallStart, callStart } from '../kv/erasure.ts';
import { both, type Kv } from '../kv/kv.ts';
import type { Admit } from '../limits/admit.ts';
import type { LocalKeys } from '../local/local-keys.ts';
import { type Provider, type ProviderId, providerIds } from '../providers/catalogue.ts';
import { checkKey } from '../providers/check-key.ts';
import type { Via } from '../gateway/forward.ts';
import type { Secret } from '../secret.ts';
import { keyMissing } from '../user-keys.ts';
import { type Bundle, deleteBundle, deleteRecord, readBundle, replaceRecord } from '../vault/records.ts';
import { sealKey } from '../vault/envelope.ts';
import { hintOf, type KeyRecord } from '../vault/key-record.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import { writeStatus } from '../vault/write-status.ts';
import type { HeldKey, HoldKeys } from '../keys/stored-keys.ts';
import { type CheckedKey, describeRecord, type KeyMetadata } from '../keys/key-metadata.ts';

type KnownProvider = Provider & { readonly id: ProviderId };

export type KeysDependencies = {
  readonly kv: Kv;
  readonly ring: KeyRing;
  readonly admit: Admit;
  readonly holdKeys: HoldKeys;
  /** In local mode alone. */
  readonly localKeys?: LocalKeys | undefined;
  readonly via: Via;
  readonly clock: () => Date;
};

type Saved = { readonly created: boolean; readonly metadata: KeyMetadata };

export type Keys = ReturnType<typeof createKeys>;

/** How often a save tries again while others save the same key: with every try one of them is done. */
const SAVE_TRIES = 128;

export function createKeys({ kv, ring, admit, holdKeys, localKeys, via, clock }: KeysDependencies) {
  /** The stored records and guards of these providers, in one KV request. */
  const fetch = (user: UserId, providers: readonly ProviderId[]) =>
    admit(user, both(readBundle(user, providers), readGuards(user, providers, clock())));

  const find = async (user: UserId, provider: ProviderId): Promise<HeldKey> => {
    const [bundle, guards] = await fetch(user, [provider]);
    const [held] = await holdKeys(user, [provider], bundle);
    if (held === undefined) throw keyMissing(provider);
    return { ...held, metadata: withGuards(held.metadata, guards) };
  };

  /** Writes the record, counting up from the one that is there. */
  const store = async (
    user: UserId,
    provider: ProviderId,
    sealed: Pick<KeyRecord, 'jwe' | 'hint' | 'status'>,
    bundle: Bundle,
    start: CallStart,
  ): Promise<Saved> => {
    let former = bundle.get(provider);
    for (let tries = 0; tries < SAVE_TRIES; tries += 1) {
      const now = clock().toISOString();
      const next: KeyRecord = {
        v: 1,
        ...sealed,
        version: (former?.record?.version ?? 0) + 1,
        createdAt: former?.record?.createdAt ?? now,
        updatedAt: now,
      };
      if (await kv.ask(replaceRecord(user, provider, former?.text, next, start))) {
        return {
          created: former === undefined,
          metadata: describeRecord(provider, next, former?.lastUsedAt),
        };
      }
      former = (await kv.ask(readBundle(user, [provider]))).get(provider);
    }
    throw new Problem('store_unavailable', { headers: { 'retry-after': '1' } });
  };

  return {
    /** Every stored key, in the catalogue's order; one that does not open is listed as `unreadable`. */
    async list(user: UserId): Promise<readonly KeyMetadata[]> {
      const [bundle, guards] = await fetch(user, providerIds);
      return (await holdKeys(user, providerIds, bundle)).map(({ metadata }) => withGuards(metadata, guards));
    },

    /**
     * One stored key; with the key itself when it is made for the browser and not paused or expired.
     *
     * @throws Problem `key_missing`.
     */
    async read(user: UserId, provider: KnownProvider): Promise<KeyMetadata & { readonly key?: string }> {
      const { metadata, key } = await find(user, provider.id);
      const isGivenOut = provider.publishable && !isHeldBack(metadata, clock());
      return isGivenOut && key ? { ...metadata, key: key.reveal() } : metadata;
    },

    /**
     * Checks the key with its provider, seals and stores it. Of two saves at once both are acknowledged and the
     * later one stays.
     *
     * @throws Problem `key_rejected` when the provider says no; nothing is stored and a former key stays.
     *   `account_erased` when the user was erased meanwhile, `deployment_outdated` when this deployment seals under
     *   a retired master key, in local mode `env_file_refused` and `env_file_busy`; nothing is stored.
     */
    async save(user: UserId, provider: KnownProvider, key: Secret): Promise<Saved> {
      const start = await callStart(user, clock());
      const [bundle, guards] = await fetch(user, [provider.id]);
      const verdict = await checkKey(provider, key, via);
      if (verdict === 'rejected') {
        throw new Problem('key_rejected', {
          detail: `${provider.name} does not accept this key. Nothing was stored; check it at the provider.`,
          members: { provider: provider.id, getKeyAt: provider.keyPage },
        });
      }
      const jwe = await sealKey(ring, { user, provider: provider.id }, key);
      const status = verdict === 'valid' ? 'valid' : 'unverified';
      const sealed = { jwe, hint: hintOf(key.reveal()), status } as const;
      const storeKey = async () => {
        const stored = await store(user, provider.id, sealed, bundle, start);
        return { ...stored, metadata: withGuards(stored.metadata, guards) };
      };
      if (localKeys === undefined) return storeKey();
      const { stored, envFile } = await localKeys.save(provider, key, storeKey);
      return { ...stored, metadata: { ...stored.metadata, envFile } };
    },

    /**
     * Asks the provider about the stored key again and writes down what it says. An answer that does not settle
     * it changes nothing; `verdict` is then `unknown`, while the status may still say `valid`.
     *
     * @throws Problem `key_missing`, `key_unreadable`.
     */
    async check(user: UserId, provider: KnownProvider): Promise<CheckedKey> {
      const { metadata, key, stored } = await find(user, provider.id);
      if (key === undefined) throw new Problem('key_unreadable', { members: { provider: provider.id } });
      const verdict = await checkKey(provider, key, via);
      if (verdict === 'unknown') return { ...metadata, verdict };
      const status = verdict === 'valid' ? 'valid' : 'invalid';
      if (stored !== undefined && status !== stored.record.status) {
        await writeStatus(kv, user, provider.id, stored, status);
      }
      return { ...metadata, status, verdict };
    },

    /**
     * Changes the guards that the patch names; they hold from the next call on. Saving another key keeps them,
     * deleting the key takes them away.
     *
     * @throws Problem `key_missing`.
     */
    async guard(user: UserId, provider: KnownProvider, patch: GuardsPatch): Promise<KeyMetadata> {
      const { metadata } = await find(user, provider.id);
      const isHeld = metadata.envFile === 'env-only';
      const [isChanged, guards] = await kv.ask(
        both(changeGuards(user, provider.id, patch, isHeld), readGuards(user, [provider.id], clock())),
      );
      if (!isChanged) throw keyMissing(provider.id);
      const { guards: _, ...rest } = metadata;
      return withGuards(rest, guards);
    },

    async remove(user: UserId, provider: KnownProvider): Promise<void> {
      const forget = () =>
        admit(user, both(deleteRecord(user, provider.id), deleteGuards(user, provider.id)));
      await (localKeys?.remove([provider.id], forget) ?? forget());
    },

    async removeAll(user: UserId): Promise<void> {
      const forget = () => admit(user, both(deleteBundle(user), deleteAllGuards(user)));
      await (localKeys?.remove(providerIds, forget) ?? forget());
    },
  };
}

function isHeldBack({ guards }: KeyMetadata, now: Date): boolean {
  if (guards === undefined) return false;
  return guards.paused || (guards.expiresAt !== null && Date.parse(guards.expiresAt) <= now.getTime());
}

function withGuards(metadata: KeyMetadata, guards: ReadonlyMap<ProviderId, GuardsView>): KeyMetadata {
  const own = guards.get(metadata.provider);
  return own === undefined ? metadata : { ...metadata, guards: own };
}
