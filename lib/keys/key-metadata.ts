/** What a user is shown of a stored key: never the key. */
import { z } from 'zod';
import { type ProviderId, providerIds } from '../providers/catalogue.ts';
import type { BundleEntry } from '../vault/bundle.ts';
import { type KeyRecord, keyStatus } from '../vault/key-record.ts';

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
});
export type KeyMetadata = z.infer<typeof keyMetadata>;

export function describeRecord(provider: ProviderId, record: KeyRecord, lastUsedAt?: string): KeyMetadata {
  const { hint, status, version, createdAt, updatedAt } = record;
  return { provider, hint, status, version, createdAt, updatedAt, lastUsedAt: lastUsedAt ?? null };
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
