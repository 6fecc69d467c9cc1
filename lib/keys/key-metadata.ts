/** What a user may see of a stored key. It never contains the key. lib/vault/key-record.ts has what is stored. */
import { z } from 'zod';
import { type GuardsView, guardsView } from '../guards/guards.ts';
import { type ProviderId, providerIds } from '../providers/catalogue.ts';
import type { KeyCheckResult } from '../providers/key-check-result.ts';
import type { Secret } from '../secret.ts';
import { hintOf, type KeyRecord, keyStatus } from '../vault/key-record.ts';
import type { RecordEntry } from '../vault/records.ts';

export const keyMetadata = z.object({
  provider: z.enum(providerIds),
  /** At most the last four characters. */
  hint: z.string(),
  /** `unreadable`: stored, but it does not open. */
  status: z.enum([...keyStatus.options, 'unreadable']),
  version: z.int(),
  createdAt: z.string().nullable(),
  updatedAt: z.string().nullable(),
  /** To the minute. */
  lastUsedAt: z.string().nullable(),
  /**
   * In local mode only: where the key in use is stored. `written`: in `.env` and in KV. `kv-only`: in KV only, because
   * it cannot be written to `.env`. `env-only`: in `.env` only, added by hand; it was never checked and has version 0.
   */
  envFile: z.enum(['written', 'kv-only', 'env-only']).optional(),
  /** Absent when the user has set none. */
  guards: guardsView.optional(),
});
export type KeyMetadata = z.infer<typeof keyMetadata>;

/** With the guards that the user has set for this key, if any. */
export function withGuards(metadata: KeyMetadata, guards: ReadonlyMap<ProviderId, GuardsView>): KeyMetadata {
  const own = guards.get(metadata.provider);
  return own === undefined ? metadata : { ...metadata, guards: own };
}

/** The answer to a check: `verdict` is what the provider said this time. */
export type CheckedKey = KeyMetadata & { readonly verdict: KeyCheckResult };

export function describeRecord(provider: ProviderId, record: KeyRecord, lastUsedAt?: string): KeyMetadata {
  const { hint, status, version, createdAt, updatedAt } = record;
  return { provider, hint, status, version, createdAt, updatedAt, lastUsedAt: lastUsedAt ?? null };
}

/** A key of `.env` that KV does not have, or of which KV has another value. */
export function describeFileKey(provider: ProviderId, key: Secret): KeyMetadata {
  return {
    provider,
    hint: hintOf(key.reveal()),
    status: 'unverified',
    version: 0,
    createdAt: null,
    updatedAt: null,
    lastUsedAt: null,
    envFile: 'env-only',
  };
}

/** A record that is damaged, or whose envelope does not open. */
export function describeUnreadable(provider: ProviderId, { record, lastUsedAt }: RecordEntry): KeyMetadata {
  return {
    provider,
    hint: record?.hint ?? '',
    status: 'unreadable',
    version: record?.version ?? 0,
    createdAt: record?.createdAt ?? null,
    updatedAt: record?.updatedAt ?? null,
    lastUsedAt: lastUsedAt ?? null,
  };
}
