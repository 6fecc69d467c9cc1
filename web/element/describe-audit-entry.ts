/** Texts for one entry of the audit log. */
import type { AuditEntry } from '../client/activity.ts';
import type { ProviderId } from '../client/api-responses.ts';
import type { Tone } from './message.ts';
import { formatCount } from './usage-table.ts';

type Description = { readonly tone: Tone; readonly title: string; readonly details: readonly string[] };

/** `key` is "OpenAI key", or "key" when the entry names no provider. */
const ACTIONS = new Map<string, { done(key: string): string; failed(key: string): string }>([
  ['save', { done: (key) => `${key} added`, failed: (key) => `${key} not added` }],
  ['replace', { done: (key) => `${key} replaced`, failed: (key) => `${key} not replaced` }],
  ['check', { done: (key) => `${key} checked`, failed: (key) => `${key} not checked` }],
  ['delete', { done: (key) => `${key} deleted`, failed: (key) => `${key} not deleted` }],
  ['delete_all', { done: () => 'All keys deleted', failed: () => 'Keys not deleted' }],
  [
    'reveal',
    { done: (key) => `${key} sent to your browser`, failed: (key) => `${key} not sent to your browser` },
  ],
  ['guard', { done: (key) => `${key} limits changed`, failed: (key) => `${key} limits not changed` }],
  ['rotate', { done: (key) => `${key} re-encrypted`, failed: (key) => `${key} not re-encrypted` }],
]);

const REASONS = new Map<string, string>([
  ['key_missing', 'no key is stored'],
  ['key_paused', 'the key is paused'],
  ['key_expired', 'the key has expired'],
  ['key_rejected', 'the provider rejected the key'],
  ['key_unreadable', 'the stored key cannot be decrypted'],
  ['model_not_allowed', 'the model is not allowed'],
  ['daily_limit_reached', 'the daily limit is reached'],
  ['rate_limited', 'too many calls in one minute'],
  ['too_many_calls', 'too many calls at once'],
  ['interrupted', 'its end was not recorded'],
  ['provider_limited', 'the provider is limiting calls'],
]);

const ROUTES = new Map([
  ['gateway', 'gateway'],
  ['generate', 'prompt'],
  ['search', 'search'],
  ['code', 'app code'],
]);

export function describeAuditEntry(entry: AuditEntry, nameOf: (provider: ProviderId) => string): Description {
  const { action, outcome, route, model, inputTokens, outputTokens, durationMs, count } = entry;
  const name = entry.provider === null ? undefined : nameOf(entry.provider);
  const isOk = outcome === 'ok';
  const tone = isOk ? 'good' : 'bad';
  const reason = isOk ? '' : `: ${REASONS.get(outcome) ?? outcome.replaceAll('_', ' ')}`;
  const tokens =
    inputTokens === null && outputTokens === null
      ? ''
      : `${formatCount(inputTokens)} tokens in, ${formatCount(outputTokens)} out`;
  const times = count === 1 ? '' : ` × ${formatCount(count)}`;
  const details = [model ?? '', tokens, (route && ROUTES.get(route)) ?? ''];

  if (action === 'use') {
    const wasSent = isOk || outcome === 'key_rejected' || outcome.startsWith('provider_');
    const failed = outcome === 'interrupted' ? ' interrupted' : wasSent ? ' failed' : ' blocked';
    const result = isOk ? '' : failed;
    return {
      tone,
      title: `Call to ${name ?? 'a provider'}${result}${reason}${times}`,
      details: [...details, formatDuration(durationMs)].filter((detail) => detail !== ''),
    };
  }
  const texts = ACTIONS.get(action);
  const key = name === undefined ? 'Key' : `${name} key`;
  const title = texts === undefined ? `${key}: ${action}` : isOk ? texts.done(key) : texts.failed(key);
  return { tone, title: title + reason + times, details: details.filter((detail) => detail !== '') };
}

function formatDuration(durationMs: number | null): string {
  if (durationMs === null) return '';
  return durationMs < 1000 ? `${durationMs} ms` : `${(durationMs / 1000).toFixed(1)} s`;
}
