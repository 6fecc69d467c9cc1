/** What the status of a stored key means to the person it belongs to, and what they can do. */
import type { CheckedKey, StoredKey, StoredKeyStatus } from '../client/answers.ts';

export type Tone = 'good' | 'caution' | 'bad';

export type Advice = { readonly tone: Tone; readonly what: string; readonly next: string };

export const STATUS_LABELS: Readonly<
  Record<StoredKeyStatus, { readonly label: string; readonly tone: Tone }>
> = {
  valid: { label: 'Valid', tone: 'good' },
  unverified: { label: 'Not verified', tone: 'caution' },
  invalid: { label: 'Refused', tone: 'bad' },
  unreadable: { label: 'Unreadable', tone: 'bad' },
};

/** What there is to know and do about a key; undefined when all is well. `name` is the provider's. */
export function adviseOn({ status, envFile }: StoredKey, name: string): Advice | undefined {
  if (status === 'invalid') {
    return {
      tone: 'bad',
      what: `${name} does not accept this key any more.`,
      next: 'Create a new one there and replace it here.',
    };
  }
  if (status === 'unreadable') {
    return {
      tone: 'bad',
      what: 'The stored key cannot be opened any more.',
      next: 'Replace it with a new one, or delete it.',
    };
  }
  if (envFile === 'env-only') {
    return {
      tone: 'caution',
      what: 'This key is in your .env file.',
      next: 'It is used before any stored one. Check again to see whether it works.',
    };
  }
  if (status === 'unverified') {
    return {
      tone: 'caution',
      what: `Saved, but ${name} could not be asked about it.`,
      next: 'You can use it right away. Check again in a moment to be sure that it works.',
    };
  }
  if (envFile !== 'kv-only') return undefined;
  return {
    tone: 'caution',
    what: 'Saved, but not in your .env file.',
    next: 'It has characters there that not every tool reads the same way.',
  };
}

/** What came of a check, where the status does not already say it. */
export function describeVerdict(verdict: CheckedKey['verdict'], name: string): Advice | undefined {
  if (verdict === 'valid') return { tone: 'good', what: `${name} accepts this key.`, next: '' };
  if (verdict === 'rejected') return undefined;
  return {
    tone: 'caution',
    what: `${name} could not be asked right now.`,
    next: 'The key is as it was. Check again in a moment.',
  };
}
