import { expect, test } from 'vitest';
import { describeCatalogue } from '../../lib/providers/describe-catalogue.ts';
import { parseStoredKey } from '../../web/client/api-responses.ts';
import { groupProviders, searchProviders } from '../../web/element/providers.ts';

const { providers } = describeCatalogue();
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

test('those with a key come first, then the required ones, then a short list, and nobody is lost or doubled', () => {
  const { stored, suggested, others } = groupProviders(providers, [keyOf('exa')], ['elevenlabs', 'exa']);
  expect(ids(stored)).toEqual(['exa']);
  expect(ids(suggested)).toEqual(['elevenlabs', 'gemini', 'copilotkit', 'openai', 'anthropic']);
  expect(ids([...stored, ...suggested, ...others]).sort()).toEqual(ids(providers).sort());
});

test('every required provider is in the first list, however many there are', () => {
  const required = ids(providers).slice(-8);
  const { suggested } = groupProviders(providers, [], required);
  expect(ids(suggested)).toEqual(required);
});

test('a search finds names and purposes, by every word of it', () => {
  expect(ids(searchProviders(providers, ' GOOGLE '))).toEqual(['gemini', 'serper']);
  expect(ids(searchProviders(providers, 'web agents'))).toEqual(['exa', 'tavily']);
  expect(searchProviders(providers, 'nothing like it')).toEqual([]);
});
