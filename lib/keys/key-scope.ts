/** One call's use of a user's keys: admitted and fetched in one KV request, opened, and written down afterwards. */
import type { Journal, OpenJournal } from '../audit/journal.ts';
import { Problem } from '../errors.ts';
import { admitUse, giveBack } from '../guards/admission.ts';
import { guardRefusal } from '../guards/key-decision.ts';
import type { UserId } from '../identity/user-id.ts';
import { createNoteVerdict } from './note-verdict.ts';
import { both, type Kv } from '../kv/kv.ts';
import type { LocalKeys } from '../local/local-keys.ts';
import type { ProviderId } from '../providers/catalogue.ts';
import { beginStages } from '../telemetry/stages.ts';
import { keyMissing, openUserKeys, type UserKeys } from '../user-keys.ts';
import { noteUse, readBundle } from '../vault/records.ts';
import type { KeyRing } from '../vault/key-ring.ts';

type UseOptions = {
  /** Default: one of its own, which ends with `fn`. */
  readonly journal?: Journal;
  /**
   * `first`: one key will be used, the first of the wanted that may be. `each` (default): any of them, as code asks
   * for them, which counts one call against the day of every key with a day limit that was asked for.
   */
  readonly take?: 'first' | 'each';
  /** The model a provider's key is wanted for; null: none at all; undefined (default): not known yet. */
  readonly modelFor?: (provider: ProviderId) => string | null | undefined;
};

export type UseKeys = <T>(
  user: UserId,
  providers: readonly ProviderId[],
  fn: (keys: UserKeys) => T | Promise<T>,
  options?: UseOptions,
) => Promise<T>;

/** `lastUsedAt` is kept to the minute. */
const USE_NOTE_INTERVAL_MS = 60_000;

export function createUseKeys(parts: {
  readonly kv: Kv;
  readonly ring: KeyRing;
  readonly localKeys: LocalKeys | undefined;
  readonly callsPerMinute: number;
  readonly openJournal: OpenJournal;
  readonly after: (work: Promise<unknown>) => void;
  readonly clock: () => Date;
}): UseKeys {
  const { kv, ring, localKeys, clock, after } = parts;

  async function use<T>(
    user: UserId,
    providers: readonly ProviderId[],
    fn: (keys: UserKeys) => T | Promise<T>,
    { journal, take, modelFor }: Required<UseOptions>,
    noteOpened: (provider: ProviderId) => void,
  ): Promise<T> {
    const now = clock();
    const fromFile = await localKeys?.read(providers);
    const wanted = providers.map((provider) => ({
      provider,
      model: modelFor(provider),
      isHeld: fromFile?.has(provider) ?? false,
    }));
    const [standings, bundle] = await journal.stages.time('kv', () =>
      kv.ask(
        both(
          admitUse(user, wanted, take, { callsPerMinute: parts.callsPerMinute, now }),
          readBundle(user, providers),
        ),
      ),
    );
    const opened = new Set<ProviderId>();
    for (const key of fromFile?.values() ?? []) journal.conceal(key);
    try {
      return await openUserKeys(
        {
          ring,
          user,
          bundle,
          fromFile,
          assertMayUse(provider) {
            const standing = standings.get(provider);
            if (standing === undefined || standing.verdict === 'missing') throw keyMissing(provider);
            if (standing.verdict === 'open') return;
            throw guardRefusal(provider, standing.verdict, { callsPerDay: standing.callsPerDay, now });
          },
          allowedModels: (provider) => standings.get(provider)?.models,
          async open(work) {
            const key = await journal.stages.time('open', work);
            journal.conceal(key);
            return key;
          },
          noteOpened(provider, isStored) {
            opened.add(provider);
            noteOpened(provider);
            const lastUsedAt = Date.parse(bundle.get(provider)?.lastUsedAt ?? '') || 0;
            if (!isStored || now.getTime() - lastUsedAt < USE_NOTE_INTERVAL_MS) return;
            journal.also(noteUse(user, provider, now));
          },
          noteVerdict: createNoteVerdict({ kv, user, after }),
        },
        fn,
      );
    } finally {
      const unused = [...standings].flatMap(([provider, { isCounted }]) =>
        isCounted && !opened.has(provider) ? [provider] : [],
      );
      if (unused.length > 0) journal.also(giveBack(user, unused, now));
    }
  }

  return async (user, providers, fn, options = {}) => {
    const { take = 'each', modelFor = () => undefined } = options;
    if (options.journal !== undefined) {
      return use(user, providers, fn, { journal: options.journal, take, modelFor }, () => undefined);
    }
    const stages = beginStages();
    const journal = parts.openJournal({ user, requestId: crypto.randomUUID(), stages, action: 'use' });
    journal.note({ route: 'code' });
    try {
      const result = await use(user, providers, fn, { journal, take, modelFor }, journal.noteOpened);
      journal.end({ status: null, outcome: 'ok' });
      return result;
    } catch (error) {
      journal.end({ status: null, outcome: error instanceof Problem ? error.code : 'internal' });
      throw error;
    }
  };
}
