import { expect, test } from 'vitest';
import { describeCatalogue } from '../../lib/handlers/providers.ts';
import { parseStoredKey } from '../../web/client/api-responses.ts';
import { groupProviders, searchProviders } from '../../web/element/providers.ts';

const { providers } = describeCatalogue('/api');
const ids = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id);
const keyOf = (provider: string) =>
  parseStoredKey({
    provider,
    hint: '',
    status: 'valid',
    version: 1,
    createdAt: null,
    updatedAt: null,
    lastUsedAt: null,
  });

test('lists providers with a key, then required ones, then suggestions; each provider is listed once', () => {
  const { stored, suggested, others } = groupProviders(providers, [keyOf('exa')], ['elevenlabs', 'exa']);
  expect(ids(stored)).toEqual(['exa']);
  expect(ids(suggested)).toEqual(['elevenlabs', 'gemini', 'copilotkit', 'openai', 'anthropic']);
  expect(ids([...stored, ...suggested, ...others]).sort()).toEqual(ids(providers).sort());
});

test('suggests every required provider, however many there are', () => {
  const required = ids(providers).slice(-8);
  const { suggested } = groupProviders(providers, [], required);
  expect(ids(suggested)).toEqual(required);
});

test('search matches every word against names and purposes', () => {
  expect(ids(searchProviders(providers, ' GOOGLE '))).toEqual(['gemini', 'serper']);
  expect(ids(searchProviders(providers, 'web agents'))).toEqual(['exa', 'tavily']);
  expect(searchProviders(providers, 'nothing like it')).toEqual([]);
});
