/** The answers of the API, with the types of the server's own schemas, so that the two cannot drift apart. */
import type { CheckedKey as CheckAnswer, KeyMetadata } from '../../lib/keys/key-metadata.ts';
import type { describeCatalogue } from '../../lib/handlers/providers.ts';
import { fieldsOf, flag, list, nullable, number, oneOf, text, wholeNumber } from './decode.ts';

/** A provider's id. Any string: a page may be older than the catalogue it is shown. */
export type ProviderName = KeyMetadata['provider'] | (string & Record<never, never>);

/** One entry of the public catalogue. */
export type Provider = Omit<ReturnType<typeof describeCatalogue>['providers'][number], 'id'> & {
  readonly id: ProviderName;
};

/** What is shown of a stored key. */
export type StoredKey = Omit<KeyMetadata, 'provider'> & { readonly provider: ProviderName };
export type StoredKeyStatus = StoredKey['status'];

/** A stored key after a check, with what the provider said this time: `unknown` if it could not be asked. */
export type CheckedKey = StoredKey & Pick<CheckAnswer, 'verdict'>;

const VERDICTS: { readonly [Verdict in CheckedKey['verdict']]: Verdict } = {
  valid: 'valid',
  rejected: 'rejected',
  unknown: 'unknown',
};
const ENV_FILE_STATES: { readonly [State in NonNullable<StoredKey['envFile']>]: State } = {
  written: 'written',
  'kv-only': 'kv-only',
  'env-only': 'env-only',
};
/** A mapped type and not a list, so that a status the server adds is missed by the type checker and not by a user. */
const STATUSES: { readonly [Status in StoredKeyStatus]: Status } = {
  valid: 'valid',
  unverified: 'unverified',
  invalid: 'invalid',
  unreadable: 'unreadable',
};

export function decodeCatalogue(value: unknown): readonly Provider[] {
  return list(fieldsOf(value).providers, (entry) => {
    const { id, name, purpose, keyPage, gateway, generate, search, publishable } = fieldsOf(entry);
    return {
      id: text(id),
      name: text(name),
      purpose: text(purpose),
      keyPage: httpsUrl(keyPage),
      gateway: text(gateway),
      generate: flag(generate),
      search: flag(search),
      publishable: flag(publishable),
    };
  });
}

export function decodeStoredKeys(value: unknown): readonly StoredKey[] {
  return list(fieldsOf(value).keys, decodeStoredKey);
}

export function decodeStoredKey(value: unknown): StoredKey {
  const fields = fieldsOf(value);
  return {
    provider: text(fields.provider),
    hint: text(fields.hint),
    status: oneOf(fields.status, Object.values(STATUSES)),
    version: wholeNumber(fields.version),
    createdAt: nullable(fields.createdAt, text),
    updatedAt: nullable(fields.updatedAt, text),
    lastUsedAt: nullable(fields.lastUsedAt, text),
    ...(fields.envFile === undefined
      ? {}
      : { envFile: oneOf(fields.envFile, Object.values(ENV_FILE_STATES)) }),
    ...(fields.guards === undefined ? {} : { guards: decodeGuards(fields.guards) }),
  };
}

function decodeGuards(value: unknown): NonNullable<StoredKey['guards']> {
  const { paused, expiresAt, models, callsPerDay, callsToday } = fieldsOf(value);
  return {
    paused: flag(paused),
    expiresAt: nullable(expiresAt, text),
    models: nullable(models, (names) => list(names, text)),
    callsPerDay: nullable(callsPerDay, wholeNumber),
    callsToday: wholeNumber(callsToday),
  };
}

export function decodeCheckedKey(value: unknown): CheckedKey {
  const { verdict } = fieldsOf(value);
  return { ...decodeStoredKey(value), verdict: oneOf(verdict, Object.values(VERDICTS)) };
}

export type BrowserKey = { readonly key: string; readonly updatedAt: string | null };

/** The key itself, which only an answer about a browser key holds, and only if it could be opened. */
export function decodeBrowserKey(value: unknown): BrowserKey | undefined {
  const { key, updatedAt } = fieldsOf(value);
  return key === undefined ? undefined : { key: text(key), updatedAt: nullable(updatedAt, text) };
}

export type Generated = {
  readonly text: string;
  readonly provider: ProviderName;
  readonly model: string;
  readonly usage: { readonly inputTokens: number | null; readonly outputTokens: number | null };
};

export function decodeGenerated(value: unknown): Generated {
  const fields = fieldsOf(value);
  const usage = fieldsOf(fields.usage);
  return {
    text: text(fields.text),
    provider: text(fields.provider),
    model: text(fields.model),
    usage: {
      inputTokens: nullable(usage.inputTokens, number),
      outputTokens: nullable(usage.outputTokens, number),
    },
  };
}

/** It becomes a link, so it must not be a `javascript:` one. */
function httpsUrl(value: unknown): string {
  const address = text(value);
  if (!address.startsWith('https://')) throw new TypeError('Expected an https address.');
  return address;
}
