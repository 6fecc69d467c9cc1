/** Types and parsers for the API's responses. The types come from the server's schemas, so both always match. */

import type { describeCatalogue } from '../../lib/handlers/providers.ts';
import type { CheckedKey as CheckAnswer, KeyMetadata } from '../../lib/keys/key-metadata.ts';
import {
  nullable,
  parseArray,
  parseBoolean,
  parseInteger,
  parseNumber,
  parseObject,
  parseOneOf,
  parseString,
} from './json-parsers.ts';

/** The id of a provider. Any string, because the server's catalogue may be newer than the page. */
export type ProviderId = KeyMetadata['provider'] | (string & Record<never, never>);

/** One entry of the provider catalogue. */
export type Provider = Omit<ReturnType<typeof describeCatalogue>['providers'][number], 'id'> & {
  readonly id: ProviderId;
};

/** The metadata of a stored key. It never contains the key itself. */
export type StoredKey = Omit<KeyMetadata, 'provider'> & { readonly provider: ProviderId };
export type StoredKeyStatus = StoredKey['status'];

/** A stored key and the result of its latest check. `unknown`: the provider did not give a usable answer. */
export type CheckedKey = StoredKey & Pick<CheckAnswer, 'verdict'>;

const CHECK_RESULTS: { readonly [Result in CheckedKey['verdict']]: Result } = {
  valid: 'valid',
  rejected: 'rejected',
  unknown: 'unknown',
};
const ENV_FILE_STATES: { readonly [State in NonNullable<StoredKey['envFile']>]: State } = {
  written: 'written',
  'kv-only': 'kv-only',
  'env-only': 'env-only',
};
/** A mapped type instead of a list: the type checker reports an error when the server adds a status. */
const STATUSES: { readonly [Status in StoredKeyStatus]: Status } = {
  valid: 'valid',
  unverified: 'unverified',
  invalid: 'invalid',
  unreadable: 'unreadable',
};

export function parseProviders(value: unknown): readonly Provider[] {
  return parseArray(parseObject(value).providers, (entry) => {
    const { id, name, purpose, keyPage, gateway, generate, search, publishable } = parseObject(entry);
    return {
      id: parseString(id),
      name: parseString(name),
      purpose: parseString(purpose),
      keyPage: httpsUrl(keyPage),
      gateway: parseString(gateway),
      generate: parseBoolean(generate),
      search: parseBoolean(search),
      publishable: parseBoolean(publishable),
    };
  });
}

export function parseStoredKeys(value: unknown): readonly StoredKey[] {
  return parseArray(parseObject(value).keys, parseStoredKey);
}

export function parseStoredKey(value: unknown): StoredKey {
  const fields = parseObject(value);
  return {
    provider: parseString(fields.provider),
    hint: parseString(fields.hint),
    status: parseOneOf(fields.status, Object.values(STATUSES)),
    version: parseInteger(fields.version),
    createdAt: nullable(fields.createdAt, parseString),
    updatedAt: nullable(fields.updatedAt, parseString),
    lastUsedAt: nullable(fields.lastUsedAt, parseString),
    ...(fields.envFile === undefined
      ? {}
      : { envFile: parseOneOf(fields.envFile, Object.values(ENV_FILE_STATES)) }),
    ...(fields.guards === undefined ? {} : { guards: parseGuards(fields.guards) }),
  };
}

function parseGuards(value: unknown): NonNullable<StoredKey['guards']> {
  const { paused, expiresAt, models, callsPerDay, callsToday } = parseObject(value);
  return {
    paused: parseBoolean(paused),
    expiresAt: nullable(expiresAt, parseString),
    models: nullable(models, (names) => parseArray(names, parseString)),
    callsPerDay: nullable(callsPerDay, parseInteger),
    callsToday: parseInteger(callsToday),
  };
}

export function parseCheckedKey(value: unknown): CheckedKey {
  const { verdict } = parseObject(value);
  return { ...parseStoredKey(value), verdict: parseOneOf(verdict, Object.values(CHECK_RESULTS)) };
}

export type BrowserKey = { readonly key: string; readonly updatedAt: string | null };

/** The key itself. Undefined if the response has none: only browser keys that could be decrypted are returned. */
export function parseBrowserKey(value: unknown): BrowserKey | undefined {
  const { key, updatedAt } = parseObject(value);
  return key === undefined
    ? undefined
    : { key: parseString(key), updatedAt: nullable(updatedAt, parseString) };
}

export type GenerateResult = {
  readonly text: string;
  readonly provider: ProviderId;
  readonly model: string;
  readonly usage: { readonly inputTokens: number | null; readonly outputTokens: number | null };
};

export function parseGenerateResult(value: unknown): GenerateResult {
  const fields = parseObject(value);
  const usage = parseObject(fields.usage);
  return {
    text: parseString(fields.text),
    provider: parseString(fields.provider),
    model: parseString(fields.model),
    usage: {
      inputTokens: nullable(usage.inputTokens, parseNumber),
      outputTokens: nullable(usage.outputTokens, parseNumber),
    },
  };
}

/** The page uses it as a link, so a `javascript:` URL must not pass. */
function httpsUrl(value: unknown): string {
  const url = parseString(value);
  if (!url.startsWith('https://')) throw new TypeError('Expected an https URL.');
  return url;
}
