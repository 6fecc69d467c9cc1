/** Which user of the demo has which keys, and who calls what. */
import type { ProviderId } from '../../lib/providers/catalogue.ts';

export const USERS = ['alice', 'bob'] as const;
export type User = (typeof USERS)[number];

/** Bob has no Anthropic key, and must not be able to use Alice's. */
export const KEYS_OF: Readonly<Record<User, readonly ProviderId[]>> = {
  alice: ['openai', 'gemini', 'exa', 'anthropic'],
  bob: ['openai', 'gemini', 'exa'],
};

export type CallKind = {
  readonly name: string;
  readonly provider: ProviderId;
  readonly path: string;
  readonly body: (text: string) => unknown;
};

const chat = (stream: boolean) => (content: string) => ({
  model: 'gpt-5-mini',
  stream,
  messages: [{ role: 'user', content }],
});
const generate = (provider: ProviderId): CallKind => ({
  name: 'generate',
  provider,
  path: '/api/generate',
  body: (prompt) => ({ provider, prompt }),
});

const CALL_KINDS: readonly CallKind[] = [
  generate('openai'),
  generate('gemini'),
  { name: 'gateway', provider: 'openai', path: '/api/proxy/openai/v1/chat/completions', body: chat(false) },
  {
    name: 'gateway, streamed',
    provider: 'openai',
    path: '/api/proxy/openai/v1/chat/completions',
    body: chat(true),
  },
  { name: 'search', provider: 'exa', path: '/api/search', body: (query) => ({ query }) },
];

/** Bob makes this call and has no key for it. */
export const CALL_WITHOUT_KEY: CallKind = {
  name: 'gateway',
  provider: 'anthropic',
  path: '/api/proxy/anthropic/v1/messages',
  body: (content) => ({ model: 'claude-sonnet-5', max_tokens: 64, messages: [{ role: 'user', content }] }),
};

export type PlannedCall = {
  readonly user: User;
  readonly kind: CallKind;
  /** Part of this call's request body and of no other: the emulator's journal is searched for it. */
  readonly marker: string;
};

const ROUNDS = 3;

/** Every kind of call, three times, the users alternating. */
export function planCalls(): readonly PlannedCall[] {
  const planned = Array.from({ length: ROUNDS }, () =>
    CALL_KINDS.flatMap((kind) => USERS.map((user) => ({ user, kind }))),
  ).flat();
  return planned.map(({ user, kind }, index) => ({ user, kind, marker: `[${user}, call ${index + 1}]` }));
}
