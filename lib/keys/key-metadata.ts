/** What a user is shown of a stored key: never the key. */
import { z } from 'zod';
import { guardsView } from '../guards/guards.ts';
import { type ProviderId, providerIds } from '../providers/catalogue.ts';
import type { KeyVerdict } from '../providers/key-check-result.ts';
import type { Secret } from '../secret.ts';
import type { BundleEntry } from '../vault/records.ts';
import { hintOf, type KeyRecord, keyStatus } from '../vault/key-record.ts';

export const keyMetadata = z.object({
  provider: z.enum(providerIds),
  /** At most the last four characters. */
  hint: z.string(),
  /** `unreadable`: stored, and does not open. */
  status: z.enum([...keyStatus.options, 'unreadable']),
  version: z.int(),
  createdAt: z.string().nullable(),
  updatedAt: z.string().nullable(),
  /** To the minute. */
  lastUsedAt: z.string().nullable(),
  /**
   * In local mode alone, where the key in use is: in `.env` and in KV (`written`), in KV alone, since it cannot
   * be written to `.env` (`kv-only`), or in `.env` alone, put there by hand (`env-only`: never checked, version 0).
   */
  envFile: z.enum(['written', 'kv-only', 'env-only']).optional(),
  /** Absent when the user has set none. */
  guards: guardsView.optional(),
});
export type KeyMetadata = z.infer<typeof keyMetadata>;

/** The answer to a check: `verdict` is what the provider said this time. */
export type CheckedKey = KeyMetadata & { readonly verdict: KeyVerdict };

export function describeRecord(provider: ProviderId, record: KeyRecord, lastUsedAt?: string): KeyMetadata {
  const { hint, status, version, createdAt, updatedAt } = record;
  return { provider, hint, status, version, createdAt, updatedAt, lastUsedAt: lastUsedAt ?? null };
}

/** A key that stands in `.env` and not, or not as it is, in KV. */
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

/** An entry whose envelope does not open, or whose record is damaged as a whole. */
export function describeUnreadable(provider: ProviderId, { record, lastUsedAt }: BundleEntry): KeyMetadata {
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
