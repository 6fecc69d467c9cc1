/** One entry of the log in words. */
import type { AuditEntry } from '../client/activity.ts';
import type { ProviderName } from '../client/answers.ts';
import type { Tone } from './key-status.ts';

type Told = { readonly tone: Tone; readonly what: string; readonly details: readonly string[] };

const DONE = new Map<string, (name: string) => string>([
  ['save', (name) => `${name} key added`],
  ['replace', (name) => `${name} key replaced`],
  ['check', (name) => `${name} key checked`],
  ['delete', (name) => `${name} key deleted`],
  ['delete_all', () => 'All keys deleted'],
  ['reveal', (name) => `${name} key given to your browser`],
  ['guard', (name) => `Limits of your ${name} key changed`],
  ['use', (name) => `${name} called`],
  ['rotate', (name) => `${name} key sealed anew`],
]);

const ATTEMPTS = new Map([
  ['save', 'saving'],
  ['check', 'a check'],
  ['delete', 'deleting'],
  ['reveal', 'reading'],
  ['guard', 'a change of limits'],
]);

const REFUSED = new Map<string, string>([
  ['key_missing', 'no key stored'],
  ['key_paused', 'paused by you'],
  ['key_expired', 'expired'],
  ['key_rejected', 'the provider does not accept the key'],
  ['key_unreadable', 'the stored key cannot be opened'],
  ['model_not_allowed', 'model not allowed by you'],
  ['daily_limit_reached', 'your calls for the day were used up'],
  ['rate_limited', 'too many calls in one minute'],
  ['provider_limited', 'limited by the provider'],
]);

const ROUTES = new Map([
  ['gateway', 'through the gateway'],
  ['generate', 'by a prompt'],
  ['search', 'by a search'],
  ['code', 'by the app'],
]);

export function describeEntry(entry: AuditEntry, nameOf: (provider: ProviderName) => string): Told {
  const { action, outcome, route, model, inputTokens, outputTokens, durationMs } = entry;
  const name = entry.provider === null ? 'A' : nameOf(entry.provider);
  const done = DONE.get(action)?.(name) ?? `${name}: ${action}`;
  const details = [
    model ?? '',
    inputTokens === null && outputTokens === null
      ? ''
      : `${grouped(inputTokens)} in, ${grouped(outputTokens)} out`,
    (route && ROUTES.get(route)) ?? '',
    action === 'use' ? seconds(durationMs) : '',
  ].filter((detail) => detail !== '');
  if (outcome === 'ok') return { tone: 'good', what: done, details };
  const why = REFUSED.get(outcome) ?? outcome.replaceAll('_', ' ');
  if (action !== 'use')
    return { tone: 'bad', what: `${name} key: ${ATTEMPTS.get(action) ?? action} refused, ${why}`, details };
  const wasCalled = outcome === 'key_rejected' || outcome.startsWith('provider_');
  return { tone: 'bad', what: `${name} ${wasCalled ? 'called' : 'not called'}: ${why}`, details };
}

function grouped(count: number | null): string {
  return count === null ? '–' : count.toLocaleString('en');
}

function seconds(durationMs: number): string {
  return durationMs < 1000 ? `${durationMs} ms` : `${(durationMs / 1000).toFixed(1)} s`;
}
