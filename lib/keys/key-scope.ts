/**
 * One call's use of a user's keys. One KV request admits the call and fetches the sealed keys. A key is opened on demand,
 * for its owner, and is not kept after the call.
 */
import type { AuditBounds } from '../audit/audit-log.ts';
import { forgetCall } from '../audit/begun-calls.ts';
import type { Journal } from '../audit/journal.ts';
import { Problem } from '../errors.ts';
import {
  admitUse,
  assertAdmitted,
  hasBegun,
  type Take,
  type UseLimits,
  uncountUnused,
} from '../guards/admission.ts';
import { guardRefusal } from '../guards/key-decision.ts';
import { rateWindow } from '../guards/rate-limit.ts';
import type { UserId } from '../identity/user-id.ts';
import { callStart } from '../kv/erasure.ts';
import type { Kv } from '../kv/kv.ts';
import { assertMoved, hasLegacyData } from '../kv/legacy-data.ts';
import { combineQueries } from '../kv/query.ts';
import { LAST_USE_INTERVAL_MS } from '../limits.ts';
import type { LocalKeys } from '../local/local-keys.ts';
import { findProvider, type ProviderId } from '../providers/catalogue.ts';
import type { KeyCheckResult } from '../providers/key-check-result.ts';
import type { Secret } from '../secret.ts';
import { openKey } from '../vault/envelope.ts';
import type { KeyRing } from '../vault/key-ring.ts';
import { type RecordEntry, readRecords, recordLastUse } from '../vault/records.ts';
import { writeStatus } from './record-writes.ts';

export type KeyScope = {
  /**
   * The user's own key for a provider, never somebody else's.
   *
   * @throws Problem `key_missing` when the user has stored none, `key_unreadable` when it does not open,
   *   `key_paused`, `key_expired`, `model_not_allowed` or `daily_limit_reached` when the user's own guards forbid its
   *   use. Error after the call has ended.
   */
  get(provider: ProviderId): Promise<Secret>;
  /** Releases a key that was opened but not used, so it does not count against the daily limit. */
  release(provider: ProviderId): void;
  /** The models the user has restricted a key to; undefined: any. Whoever knows the model must refuse others. */
  allowedModels(provider: ProviderId): readonly string[] | undefined;
  /**
   * Records what the provider said about a key that was opened here. It is written after the response and only when it
   * changes the key's status, so that a working key costs no KV request. A key saved meanwhile keeps its own status.
   */
  recordKeyStatus(provider: ProviderId, result: KeyCheckResult): void;
};

export type KeyScopeParts = {
  readonly kv: Kv;
  readonly ring: KeyRing;
  /** In local mode only. */
  readonly localKeys: LocalKeys | undefined;
  readonly limits: UseLimits;
  readonly auditBounds: AuditBounds;
  readonly basePath: string;
  readonly clock: () => Date;
};

export type KeyUse = {
  /** The scope closes when the journal ends. */
  readonly journal: Journal;
  /** Default: `each`. */
  readonly take?: Take;
  /** The model a provider's key is wanted for; null: no model; undefined (default): not known yet. */
  readonly modelFor?: (provider: ProviderId) => string | null | undefined;
};

/**
 * Admits the call and opens a scope for the keys of these providers. If one of them may be used, the store has the call
 * as begun from then on, and the journal completes it.
 *
 * @throws Problem `account_erased`, `rate_limited`, `too_many_calls`, `store_outdated`, `store_unavailable`.
 */
export async function openKeyScope(
  { kv, ring, localKeys, limits, auditBounds, basePath, clock }: KeyScopeParts,
  user: UserId,
  providers: readonly ProviderId[],
  { journal, take = 'each', modelFor = () => undefined }: KeyUse,
): Promise<KeyScope> {
  const now = clock();
  const window = rateWindow(user, now);
  const fileKeys = await localKeys?.read(providers);
  for (const key of fileKeys?.values() ?? []) journal.redact(key);
  const wanted = providers.map((provider) => ({
    provider,
    model: modelFor(provider),
    isInFile: fileKeys?.has(provider) ?? false,
  }));
  const call = journal.describe();
  const start = callStart(user, call.startedAt);
  const [admission, isLegacy, records] = await journal.stages
    .time('kv', () =>
      kv.run(
        combineQueries(
          admitUse(user, wanted, take, { call, start, window, limits, auditBounds, now }),
          hasLegacyData(user),
          readRecords(user, providers),
        ),
      ),
    )
    .catch((error: unknown) => {
      // The store may have the call as begun, and only its answer was lost.
      journal.defer(forgetCall(user, call.requestId));
      throw error;
    });
  assertAdmitted(admission, window, limits);
  if (hasBegun(admission)) journal.recordBegun();
  const { decisions } = admission;
  assertMoved(isLegacy);

  let isOpen = true;
  /** The providers whose key was used, and the stored record it was opened from, if any. */
  const used = new Map<ProviderId, RecordEntry | undefined>();

  journal.beforeEnd(() => {
    isOpen = false;
    for (const [provider, entry] of used) {
      journal.recordOpened(provider);
      if (entry !== undefined && isLastUseOld(entry, now)) journal.defer(recordLastUse(user, provider, now));
    }
    const unused = [...decisions].flatMap(([provider, { isCounted }]) =>
      isCounted && !used.has(provider) ? [provider] : [],
    );
    if (unused.length > 0) journal.defer(uncountUnused(user, unused, now));
  });

  function assertOpen(): void {
    if (!isOpen)
      throw new Error('The call that opened these keys has ended. Ask for keys inside withUserKeys.');
  }

  function assertAllowed(provider: ProviderId): void {
    const decision = decisions.get(provider);
    if (decision === undefined || decision.outcome === 'missing') throw keyMissing(provider, basePath);
    if (decision.outcome === 'allowed') return;
    const { callsPerDay } = decision;
    throw guardRefusal(decision.outcome, { provider, basePath }, { callsPerDay, now });
  }

  async function openStored(provider: ProviderId): Promise<Secret> {
    const entry = records.get(provider);
    if (entry === undefined) throw keyMissing(provider, basePath);
    if (entry.record === undefined) {
      throw new Problem('key_unreadable', { members: { provider }, reason: 'record_malformed' });
    }
    return openKey(ring, { user, provider }, entry.record.jwe);
  }

  return {
    async get(provider) {
      assertOpen();
      assertAllowed(provider);
      const fileKey = fileKeys?.get(provider);
      const stored = await journal.stages.time('open', () =>
        fileKey === undefined ? openStored(provider) : openStored(provider).catch(() => undefined),
      );
      const key = fileKey ?? stored;
      if (key === undefined) throw keyMissing(provider, basePath);
      journal.redact(key);
      assertOpen();
      // Status and last use belong to the stored record, so they are recorded only if the stored key was the one used.
      const isStored = stored?.reveal() === key.reveal();
      used.set(provider, isStored ? records.get(provider) : undefined);
      return key;
    },

    release: (provider) => void used.delete(provider),

    allowedModels: (provider) => decisions.get(provider)?.models,

    recordKeyStatus(provider, result) {
      const entry = used.get(provider);
      if (entry?.record === undefined || result === 'unknown') return;
      const status = result === 'valid' ? 'valid' : 'invalid';
      if (status === entry.record.status) return;
      const { text, record } = entry;
      journal.afterResponse(() => writeStatus(kv, user, provider, { text, record }, status));
    },
  };
}

function isLastUseOld({ lastUsedAt }: RecordEntry, now: Date): boolean {
  return now.getTime() - (Date.parse(lastUsedAt ?? '') || 0) >= LAST_USE_INTERVAL_MS;
}

/** Says whose key is missing and where to add one. */
export function keyMissing(provider: ProviderId, basePath: string): Problem {
  const { name, keyPage } = findProvider(provider) ?? { name: provider, keyPage: '' };
  const address = `${basePath}/keys/${provider}`;
  return new Problem('key_missing', {
    detail: `You have not stored a key for ${name}. Add one with PUT ${address}.`,
    members: { provider, addKeyAt: address, getKeyAt: keyPage },
  });
}
