/** The stored record of one user and one provider: the sealed key and its metadata. */
import { z } from 'zod';
import { HINT_CHARACTERS, MIN_HINTED_KEY_CHARACTERS } from '../limits.ts';

export const keyStatus = z.enum(['valid', 'unverified', 'invalid']);
export type KeyStatus = z.infer<typeof keyStatus>;

const keyRecord = z.object({
  v: z.literal(1),
  /** The sealed key, a compact JWE. */
  jwe: z.string(),
  /** At most the last four characters of the key. */
  hint: z.string().max(HINT_CHARACTERS),
  status: keyStatus,
  /** How many times a key was saved for this provider, including this save. */
  version: z.int().positive(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type KeyRecord = z.infer<typeof keyRecord>;

/** A stored record, parsed, with its exact text for compare-and-set. `record` is undefined if the text is damaged. */
export type StoredRecord = { readonly text: string; readonly record: KeyRecord | undefined };

export function parseStoredRecord(text: string): StoredRecord {
  try {
    return { text, record: keyRecord.safeParse(JSON.parse(text)).data };
  } catch {
    return { text, record: undefined };
  }
}

/** The last four characters, or empty for a short key, because they would reveal a large part of it. */
export function hintOf(key: string): string {
  return key.length < MIN_HINTED_KEY_CHARACTERS ? '' : key.slice(-HINT_CHARACTERS);
}
