/** The calls of the soak, and what must be true of them. Each user makes one call at a time. */
import type { RecordedCall } from '../../test/support/recorded-call.ts';

const PROVIDERS = ['openai', 'exa', 'gemini'] as const;
type Provider = (typeof PROVIDERS)[number];

type User = {
  readonly name: string;
  readonly token: string;
  /** The keys that are stored: of every one the last that was acknowledged. */
  readonly keys: Map<Provider, string>;
  isPaused: boolean;
};

type Sent = { readonly status: number; readonly text: string };

export type Soak = {
  /** Saves the keys of one more user; false when all users have theirs. */
  saveNext(): Promise<boolean>;
  /** One call of one user, of a random kind. */
  callOnce(): Promise<void>;
  /** Uses the keys of one more user, and compares them with what was acknowledged; false after the last user. */
  readBackNext(): Promise<boolean>;
  /** Compares the calls that reached the providers with their users. No call may be under way. */
  checkProviderCalls(): void;
  report(): { readonly violations: string[]; readonly figures: readonly (readonly [string, number])[] };
};

export async function createSoak(options: {
  readonly url: string;
  readonly users: number;
  readonly tokenFor: (user: string) => Promise<string>;
  readonly newKey: () => string;
  /** The calls that the providers have received. */
  readonly seen: () => readonly RecordedCall[];
}): Promise<Soak> {
  const { url, tokenFor, newKey, seen } = options;
  const idle: User[] = [];
  for (let index = 0; index < options.users; index += 1) {
    const name = `user-${index}`;
    idle.push({ name, token: await tokenFor(name), keys: new Map(), isPaused: false });
  }
  const everyone = [...idle];
  const violations: string[] = [];
  const figures = new Map<string, number>();
  /** By the number of the call: the key it must be paid with; undefined: it must not reach the provider. */
  const expected = new Map<number, string | undefined>();
  const owners = new Map<string, string>();
  let calls = 0;
  let [saved, readBack] = [0, 0];

  const count = (what: string) => figures.set(what, (figures.get(what) ?? 0) + 1);

  async function send(
    user: User,
    method: string,
    path: string,
    json?: unknown,
    token = user.token,
  ): Promise<Sent> {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(json ? { 'content-type': 'application/json' } : {}) },
      body: json === undefined ? null : JSON.stringify(json),
    });
    return { status: response.status, text: await response.text() };
  }

  function expectStatus(
    what: string,
    user: User,
    { status, text }: Sent,
    ...allowed: readonly number[]
  ): void {
    count(what);
    if (!allowed.includes(status))
      violations.push(`${what} of ${user.name}: ${status} ${text.slice(0, 200)}`);
  }

  /** Marks a call, so that it is recognised at the provider. */
  function mark(user: User, provider: Provider): { readonly text: string; readonly key: string | undefined } {
    calls += 1;
    const isUsable = provider !== 'openai' || !user.isPaused;
    const key = isUsable ? user.keys.get(provider) : undefined;
    expected.set(calls, key);
    return { text: `of-${user.name}-${calls}-`, key };
  }

  async function save(user: User, provider: Provider): Promise<void> {
    const key = newKey();
    owners.set(key, user.name);
    const sent = await send(user, 'PUT', `/api/keys/${provider}`, { key });
    // Saves have a limit of their own. One that is over it changes nothing.
    expectStatus('save', user, sent, user.keys.has(provider) ? 200 : 201, 429);
    if (sent.status !== 429) user.keys.set(provider, key);
  }

  async function call(user: User, stream: boolean): Promise<void> {
    const { text, key } = mark(user, 'openai');
    const body = { model: 'm', stream, messages: [{ role: 'user', content: text }] };
    const sent = await send(user, 'POST', '/api/proxy/openai/v1/chat/completions', body);
    expectStatus(stream ? 'gateway, stream' : 'gateway, JSON', user, sent, key === undefined ? 403 : 200);
    if (key !== undefined && stream && !sent.text.includes('[DONE]'))
      violations.push(`${text}: a stream broke off`);
  }

  const kinds: readonly (readonly [share: number, run: (user: User) => Promise<void>])[] = [
    [25, (user) => call(user, false)],
    [15, (user) => call(user, true)],
    [
      8,
      async (user) => {
        const { text, key } = mark(user, 'gemini');
        const body = { provider: 'gemini', prompt: text };
        expectStatus(
          'generate',
          user,
          await send(user, 'POST', '/api/generate', body),
          key === undefined ? 403 : 200,
        );
      },
    ],
    [
      8,
      async (user) => {
        const { text, key } = mark(user, 'exa');
        const sent = await send(user, 'POST', '/api/search', { query: text });
        expectStatus('search', user, sent, key === undefined ? 403 : 200);
      },
    ],
    [
      12,
      async (user) => {
        const { text } = mark(user, 'openai');
        const sent = await send(user, 'GET', `/legacy?${text}`);
        expectStatus('legacy handler', user, sent, 200);
        if (sent.text !== '{"same":true}') violations.push(`${text}: the environment changed during a call`);
      },
    ],
    [8, (user) => save(user, PROVIDERS[Math.floor(Math.random() * PROVIDERS.length)] ?? 'openai')],
    [
      6,
      async (user) => {
        const sent = await send(user, 'GET', '/api/keys');
        expectStatus('list', user, sent, 200);
        const providers = [...sent.text.matchAll(/"provider":"(\w+)"/g)].map(([, provider]) => provider);
        if (`${providers.sort()}` !== `${[...user.keys.keys()].sort()}`) {
          violations.push(
            `list of ${user.name}: ${providers} are shown, ${[...user.keys.keys()]} are stored`,
          );
        }
      },
    ],
    [
      3,
      async (user) => {
        const provider = PROVIDERS[Math.floor(Math.random() * PROVIDERS.length)] ?? 'openai';
        expectStatus('delete', user, await send(user, 'DELETE', `/api/keys/${provider}`), 204);
        user.keys.delete(provider);
        // A deleted key takes its guards with it.
        if (provider === 'openai') user.isPaused = false;
      },
    ],
    [
      4,
      async (user) => {
        const paused = !user.isPaused;
        const sent = await send(user, 'PATCH', '/api/keys/openai', { guards: { paused } });
        expectStatus('guard', user, sent, user.keys.has('openai') ? 200 : 403, 404);
        if (sent.status === 200) user.isPaused = paused;
      },
    ],
    [3, async (user) => expectStatus('audit', user, await send(user, 'GET', '/api/audit?limit=20'), 200)],
    [2, async (user) => expectStatus('usage', user, await send(user, 'GET', '/api/usage'), 200)],
    [
      6,
      async (user) => {
        const { text } = mark({ ...user, keys: new Map() }, 'openai');
        const [head, payload, signature = ''] = user.token.split('.');
        const other = everyone[Math.floor(Math.random() * everyone.length)]?.token.split('.')[1];
        const forged = [
          `${head}.${payload}.${signature.slice(1)}${signature[0]}x`,
          `${head}.${payload}.`,
          `${head}.${other === payload ? 'e30' : other}.${signature}`,
          'not-a-token',
        ];
        const token = forged[Math.floor(Math.random() * forged.length)] ?? '';
        const sent = await send(user, 'GET', `/api/proxy/openai/v1/models?${text}`, undefined, token);
        expectStatus('wrong token', user, sent, 401);
      },
    ],
  ];
  const shares = kinds.flatMap(([share, run]) => Array.from({ length: share }, () => run));

  async function asUser(user: User | undefined, run: (user: User) => Promise<void>): Promise<void> {
    if (user === undefined) throw new Error('There are more callers than users.');
    try {
      await run(user);
    } catch (error) {
      violations.push(`a call of ${user.name} failed: ${error instanceof Error ? error.message : ''}`);
    }
  }

  return {
    async saveNext() {
      const user = everyone[saved];
      saved += 1;
      if (user === undefined) return false;
      await asUser(user, async () => {
        for (const provider of PROVIDERS) await save(user, provider);
      });
      return true;
    },
    async callOnce() {
      const [user] = idle.splice(Math.floor(Math.random() * idle.length), 1);
      const run = shares[Math.floor(Math.random() * shares.length)];
      if (run !== undefined) await asUser(user, run);
      if (user !== undefined) idle.push(user);
    },
    async readBackNext() {
      const user = everyone[readBack];
      readBack += 1;
      if (user === undefined) return false;
      await asUser(user, async () => {
        if (user.isPaused) await send(user, 'PATCH', '/api/keys/openai', { guards: { paused: false } });
        user.isPaused = false;
        for (const [provider, path] of [
          ['openai', '/v1/models'],
          ['exa', '/search'],
          ['gemini', '/v1beta/models'],
        ] as const) {
          const { text, key } = mark(user, provider);
          const [method, body] = provider === 'exa' ? ['POST', { query: text }] : ['GET', undefined];
          const sent = await send(user, method, `/api/proxy/${provider}${path}?${text}`, body);
          expectStatus('read back', user, sent, key === undefined ? 403 : 200);
        }
      });
      return true;
    },
    checkProviderCalls() {
      const reached = new Set<number>();
      for (const { provider, credential = '', target, body } of seen()) {
        const [, user, number] = /of-(user-\d+)-(\d+)-/.exec(`${target} ${body()}`) ?? [];
        const owner = owners.get(credential);
        if (owner === undefined) violations.push(`${provider} was called with a key that nobody has stored`);
        // A check of a key that is being saved names no user.
        if (user === undefined) continue;
        const key = expected.get(Number(number));
        if (owner !== user) violations.push(`${user} was served with the key of ${owner ?? 'nobody'}`);
        else if (key === undefined)
          violations.push(`${user} reached ${provider} although they had no usable key`);
        else if (key !== credential) violations.push(`${user} was served with a key they had replaced`);
        reached.add(Number(number));
      }
      for (const [number, key] of expected) {
        if (key !== undefined && !reached.has(number))
          violations.push(`call ${number} did not reach its provider`);
      }
      expected.clear();
    },
    report: () => ({ violations, figures: [...figures].sort() }),
  };
}
