/** The demo's story: who has which keys, and who calls what. */
import type { ProviderId } from '../../lib/providers/catalogue.ts';

export const USERS = ['alice', 'bob'] as const;
export type User = (typeof USERS)[number];

/** Bob has no Anthropic key, and must not get by with Alice's. */
export const STORED: Readonly<Record<User, readonly ProviderId[]>> = {
  alice: ['openai', 'gemini', 'exa', 'anthropic'],
  bob: ['openai', 'gemini', 'exa'],
};

export type Way = {
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
const generate = (provider: ProviderId): Way => ({
  name: 'generate',
  provider,
  path: '/api/generate',
  body: (prompt) => ({ provider, prompt }),
});

const WAYS: readonly Way[] = [
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

/** Bob's call that nobody may pay for. */
export const UNPAID: Way = {
  name: 'gateway',
  provider: 'anthropic',
  path: '/api/proxy/anthropic/v1/messages',
  body: (content) => ({ model: 'claude-sonnet-5', max_tokens: 64, messages: [{ role: 'user', content }] }),
};

export type PlannedCall = {
  readonly user: User;
  readonly way: Way;
  /** Part of what is asked, and of no other call: by it the emulator's journal is searched. */
  readonly marker: string;
};

const ROUNDS = 3;

/** Every way, three times, the users taking turns. */
export function planCalls(): readonly PlannedCall[] {
  const turns = Array.from({ length: ROUNDS }, () =>
    WAYS.flatMap((way) => USERS.map((user) => ({ user, way }))),
  ).flat();
  return turns.map(({ user, way }, index) => ({ user, way, marker: `[${user}, call ${index + 1}]` }));
}
