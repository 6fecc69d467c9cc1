/** What the status of a stored key means to the person it belongs to. */
import type { StoredKeyStatus } from '../client/answers.ts';

export type Tone = 'good' | 'caution' | 'bad';

export type StatusText = {
  readonly label: string;
  readonly tone: Tone;
  /** What it means and what to do; undefined when there is nothing to do. `name` is the provider's. */
  readonly explain?: (name: string) => { readonly what: string; readonly next: string };
};

export const STATUS_TEXTS: Readonly<Record<StoredKeyStatus, StatusText>> = {
  valid: { label: 'Valid', tone: 'good' },
  unverified: {
    label: 'Not verified',
    tone: 'caution',
    explain: (name) => ({
      what: `Saved, but ${name} could not be asked about it.`,
      next: 'You can use it right away. Check again in a moment to be sure that it works.',
    }),
  },
  invalid: {
    label: 'Refused',
    tone: 'bad',
    explain: (name) => ({
      what: `${name} does not accept this key any more.`,
      next: 'Create a new one there and replace it here.',
    }),
  },
  unreadable: {
    label: 'Unreadable',
    tone: 'bad',
    explain: () => ({
      what: 'The stored key cannot be opened any more.',
      next: 'Replace it with a new one, or delete it.',
    }),
  },
};
