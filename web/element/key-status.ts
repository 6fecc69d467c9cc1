/** Texts for the state of a stored key: its status, its limits, and what the user can do. */
import type { CheckedKey, StoredKey, StoredKeyStatus } from '../client/api-responses.ts';
import type { Message, Tone } from './message.ts';

type Guards = NonNullable<StoredKey['guards']>;

/** The label of a status. `name` is the provider's. */
export function statusLabel(
  status: StoredKeyStatus,
  name: string,
): { readonly label: string; readonly tone: Tone } {
  switch (status) {
    case 'valid':
      return { label: 'Valid', tone: 'good' };
    case 'unverified':
      return { label: 'Not checked yet', tone: 'caution' };
    case 'invalid':
      return { label: `Rejected by ${name}`, tone: 'bad' };
    case 'unreadable':
      return { label: 'Unreadable', tone: 'bad' };
  }
}

/** The problem with a stored key and what to do about it. Undefined if there is none. `name` is the provider's. */
export function keyAdvice({ status, envFile }: StoredKey, name: string): Message | undefined {
  if (status === 'invalid') {
    return {
      tone: 'bad',
      title: `${name} no longer accepts this key.`,
      detail: `Create a new key at ${name} and replace this one.`,
    };
  }
  if (status === 'unreadable') {
    return {
      tone: 'bad',
      title: 'The stored key cannot be decrypted.',
      detail: 'Replace it with a new key, or delete it.',
    };
  }
  if (envFile === 'env-only') {
    return {
      tone: 'caution',
      title: 'This key is in your .env file.',
      detail: 'It is used instead of a stored key. Check it to see whether it works.',
    };
  }
  if (status === 'unverified') {
    return {
      tone: 'caution',
      title: `The key is saved, but it could not be checked with ${name}.`,
      detail: 'You can use it now. Check it again in a moment to make sure that it works.',
    };
  }
  if (envFile !== 'kv-only') return undefined;
  return {
    tone: 'caution',
    title: 'The key is saved, but not in your .env file.',
    detail: 'Some tools would misread its special characters in that file.',
  };
}

/** The result of a check. Undefined if the provider rejected the key: then `keyAdvice` already says so. */
export function checkAdvice(result: CheckedKey['verdict'], name: string): Message | undefined {
  if (result === 'valid') return { tone: 'good', title: `${name} accepted this key.`, detail: '' };
  if (result === 'rejected') return undefined;
  return {
    tone: 'caution',
    title: `The key could not be checked with ${name}.`,
    detail: 'Nothing has changed. Check it again in a moment.',
  };
}

/** The limit that blocks the key at the time `now`, or undefined if the key can be used. */
export function blockedLabel(
  { paused, expiresAt, callsPerDay, callsToday }: Guards,
  now: Date,
): string | undefined {
  if (paused) return 'Paused';
  if (expiresAt !== null && Date.parse(expiresAt) <= now.getTime()) return 'Expired';
  return callsPerDay !== null && callsToday >= callsPerDay ? 'Daily limit reached' : undefined;
}

/** One text for each limit that is set. */
export function limitLabels({ expiresAt, models, callsPerDay, callsToday }: Guards): readonly string[] {
  const labels: string[] = [];
  if (callsPerDay !== null) {
    labels.push(`${Math.max(0, callsPerDay - callsToday)} of ${callsPerDay} calls left today`);
  }
  if (models !== null) {
    labels.push(models.length === 1 ? `Allowed model: ${models[0]}` : `${models.length} allowed models`);
  }
  if (expiresAt !== null) labels.push(`Expiry date: ${lastDay(expiresAt)}`);
  return labels;
}

/** The last day on which the key can be used, such as "Dec 30, 2099". */
function lastDay(expiresAt: string): string {
  return new Date(Date.parse(expiresAt) - 1).toLocaleDateString('en', { dateStyle: 'medium' });
}
