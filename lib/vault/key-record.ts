/** What is stored for one user and one provider: the envelope, and what may be shown about it. */
import { z } from 'zod';

export const keyStatus = z.enum(['valid', 'unverified', 'invalid']);
export type KeyStatus = z.infer<typeof keyStatus>;

const keyRecord = z.object({
  v: z.literal(1),
  /** The sealed key, a compact JWE. */
  jwe: z.string(),
  /** At most the last four characters of the key. */
  hint: z.string().max(4),
  status: keyStatus,
  /** How many times a key was saved here, this one included. */
  version: z.int().positive(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type KeyRecord = z.infer<typeof keyRecord>;

/** A record as read: parsed, and the very text it was, for compare-and-set. `record` is undefined when damaged. */
export type StoredRecord = { readonly text: string; readonly record: KeyRecord | undefined };

export function readStoredRecord(value: unknown): StoredRecord | undefined {
  return typeof value === 'string' ? parseStoredRecord(value) : undefined;
}

export function parseStoredRecord(text: string): StoredRecord {
  try {
    return { text, record: keyRecord.safeParse(JSON.parse(text)).data };
  } catch {
    return { text, record: undefined };
  }
}

const HINT_CHARACTERS = 4;
const LEAST_LENGTH_FOR_A_HINT = 12;

/** The last four characters; nothing of a key so short that they would be a good part of it. */
export function hintOf(key: string): string {
  return key.length < LEAST_LENGTH_FOR_A_HINT ? '' : key.slice(-HINT_CHARACTERS);
}
