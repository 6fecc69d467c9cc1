/** A key's limits in words. */
import type { StoredKey } from '../client/answers.ts';

type Guards = NonNullable<StoredKey['guards']>;

/** Why the key is out of use right now, in one word; undefined when it is not. */
export function describeHold(
  { paused, expiresAt, callsPerDay, callsToday }: Guards,
  now: Date,
): string | undefined {
  if (paused) return 'Paused';
  if (expiresAt !== null && Date.parse(expiresAt) <= now.getTime()) return 'Expired';
  return callsPerDay !== null && callsToday >= callsPerDay ? 'Used up for today' : undefined;
}

/** What is left, one phrase for each limit that is set. */
export function describeLimits({ expiresAt, models, callsPerDay, callsToday }: Guards): readonly string[] {
  return [
    callsPerDay === null ? '' : `${Math.max(0, callsPerDay - callsToday)} of ${callsPerDay} calls left today`,
    models === null ? '' : models.length === 1 ? `Only ${models[0]}` : `Only ${models.length} models`,
    expiresAt === null ? '' : `Until ${lastDayOf(expiresAt)}`,
  ].filter((phrase) => phrase !== '');
}

/** The last day on which the key is used, or used still. */
function lastDayOf(expiresAt: string): string {
  return new Date(Date.parse(expiresAt) - 1).toLocaleDateString('en', { dateStyle: 'medium' });
}
