import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

const PROVIDERS = ['openai', 'anthropic', 'gemini', 'exa'] as const;
type Person = { readonly sub: string; readonly token: string; readonly keys: ReadonlyMap<string, string> };

let world: World;
let modules: Record<'key' | 'generate' | 'search' | 'proxy', HandlerModule>;

beforeAll(async () => {
  world = await startWorld();
  modules = {
    key: await import('../../api/userkeys.ts'),
    generate: await import('../../api/generate.ts'),
    search: await import('../../api/userkeys.ts'),
    proxy: await import('../../api/proxy.ts'),
  };
});
afterAll(() => world.close());

async function newPerson(sub: string): Promise<Person> {
  const token = await world.tokenFor(sub, { exp: Math.floor(Date.now() / 1000) + 600 });
  const keys = new Map(PROVIDERS.map((provider) => [provider, newProviderKey()]));
  for (const [provider, key] of keys) {
    await call(modules.key, `/api/keys/${provider}`, { method: 'PUT', token, json: { key } });
  }
  return { sub, token, keys };
}

/** Uses a key in one of several ways, in turn. The mark identifies the user at the provider. */
function callOnce({ sub, token }: Person, turn: number): Promise<Response> {
  const mark = `${sub}/${turn}`;
  switch (turn % 5) {
    case 0:
      return call(modules.generate, '/api/generate', {
        method: 'POST',
        token,
        json: { provider: 'gemini', prompt: mark },
      });
    case 1:
      return call(modules.search, '/api/search', { method: 'POST', token, json: { query: mark } });
    case 2:
      return call(modules.generate, '/api/generate', {
        method: 'POST',
        token,
        json: { provider: 'openai', prompt: mark, stream: true },
      });
    case 3:
      return call(modules.proxy, '/api/proxy/anthropic/v1/messages', {
        method: 'POST',
        headers: { 'x-api-key': token },
        json: { mark, stream: true },
      });
    default:
      return call(modules.proxy, `/api/proxy/openai/v1/models?mark=${encodeURIComponent(mark)}`, { token });
  }
}

test.each([
  [2, 500],
  [200, 5],
])(
  '%i users with %i interleaved calls each: every call is paid with its own caller’s key',
  async (users, calls) => {
    const people: Person[] = [];
    for (let index = 0; index < users; index += 1) people.push(await newPerson(`user-${users}-${index}`));
    world.providers.reset();

    const turns = Array.from({ length: calls }, (_, turn) =>
      people.map((person) => [person, turn] as const),
    ).flat();
    const answers = await Promise.all(
      turns.map(async ([person, turn]) => {
        const response = await callOnce(person, turn);
        return [response.status, await response.text()] as const;
      }),
    );

    expect(answers.filter(([status]) => status !== 200)).toEqual([]);
    expect(world.calls).toHaveLength(users * calls);
    const byName = new Map(people.map((person) => [person.sub, person]));
    for (const recorded of world.calls) {
      const sub = /(user-\d+-\d+)(?:\/|%2F)\d+/.exec(`${recorded.target} ${recorded.body()}`)?.[1] ?? '';
      expect(recorded.credential).toBe(byName.get(sub)?.keys.get(recorded.provider));
    }
    for (const [, text] of answers) expect(text).not.toMatch(/sk-test-/);
  },
  120_000,
);

test('no key of any user was ever in the process environment', () => {
  const environment = JSON.stringify(process.env);
  expect(environment).not.toContain('sk-test-');
});
