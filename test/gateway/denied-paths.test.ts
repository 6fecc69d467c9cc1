import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isDeniedPath } from '../../lib/gateway/denied-paths.ts';
import { catalogue, findProvider, type ProviderId } from '../../lib/providers/catalogue.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let proxy: HandlerModule;
let token: string;

beforeAll(async () => {
  world = await startWorld();
  proxy = await import('../../api/proxy.ts');
  const keys: HandlerModule = await import('../../api/userkeys.ts');
  token = await world.tokenFor('alice');
  for (const provider of ['openai', 'elevenlabs', 'fireworks']) {
    await call(keys, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: newProviderKey() } });
  }
  world.providers.reset();
});
afterAll(() => world.close());
afterEach(() => world.providers.reset());

const isDenied = (id: ProviderId, path: string, base = '') => {
  const provider = findProvider(id);
  return provider !== undefined && isDeniedPath(provider, base, path);
};

test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'])(
  '%s of a path that returns a key is refused before the provider is called',
  async (method) => {
    const response = await call(proxy, '/api/proxy/elevenlabs/v1/user', { method, token });
    expect(response.status).toBe(403);
    expect(response.headers.get('x-userkeys-error')).toBe('path_not_allowed');
    if (method !== 'HEAD') expect(await response.json()).toMatchObject({ code: 'path_not_allowed' });
    expect(world.calls).toEqual([]);
  },
);

test('no key is opened for it: the answer is the same without a stored key', async () => {
  const stranger = await world.tokenFor('bob');
  const response = await call(proxy, '/api/proxy/elevenlabs/v1/user', { token: stranger });
  expect(await response.json()).toMatchObject({ code: 'path_not_allowed' });
});

describe('a denied path is refused', () => {
  test.each<[string, ProviderId, string]>([
    ['with an encoded letter', 'elevenlabs', '/v1/%75ser'],
    ['with a letter encoded twice', 'elevenlabs', '/v1/%2575ser'],
    ['with a letter encoded three times', 'elevenlabs', '/v1/%252575ser'],
    ['with a trailing slash', 'elevenlabs', '/v1/user/'],
    ['with an encoded trailing slash', 'elevenlabs', '/v1/user%2F'],
    ['with an encoded slash', 'elevenlabs', '/v1%2fuser'],
    ['with an empty encoded segment', 'elevenlabs', '/v1/%2Fuser'],
    ['in upper case', 'elevenlabs', '/V1/USER'],
    ['in mixed case', 'fireworks', '/v1/accounts/me/users/me/apikeys'],
    ['with a parameter', 'elevenlabs', '/v1/user;a=b'],
    ['with a parameter that has an encoded slash', 'elevenlabs', '/v1/user;a=%2Fb'],
    ['with an encoded letter and such a parameter', 'elevenlabs', '/v1/%75ser;a=%2Fb'],
    ['with a parameter before it', 'elevenlabs', '/v1;a=b/user'],
    ['with an extension', 'elevenlabs', '/v1/user.json'],
    ['with an encoded space', 'elevenlabs', '/v1/user%20'],
    ['with an encoded question mark', 'elevenlabs', '/v1/user%3Fa=b'],
    ['in full-width letters', 'elevenlabs', `/v1/${encodeURIComponent('ｕｓｅｒ')}`],
    ['with a method', 'fireworks', '/v1/accounts/me/users/me/apiKeys:delete'],
    ['with an account that has a slash', 'fireworks', '/v1/accounts/a%2Fb/users/me/apiKeys'],
    ['with such an account and an encoded letter', 'fireworks', '/v1/accounts/a%2Fb/users/me/apiKey%73'],
    ['with an account of punctuation', 'fireworks', '/v1/accounts/~/users/~/apiKeys'],
    ['below it', 'openai', '/v1/organization/admin_api_keys'],
    ['in another version', 'gemini', '/v1beta/auth_tokens'],
    ['without the version', 'openai', '/organization/admin_api_keys'],
  ])('%s', (_how, provider, path) => {
    expect(isDenied(provider, path)).toBe(true);
  });

  test.each<[string, string, string]>([
    ['the version', '/v1', '/organization/admin_api_keys'],
    ['a prefix of the operator’s', '/openai', '/v1/organization/admin_api_keys'],
    ['a prefix and the version', '/corp/openai/v1', '/organization/admin_api_keys'],
    ['half of it', '/v1/organization', '/admin_api_keys'],
  ])('where the base URL of the provider has %s', (_what, base, path) => {
    expect(isDenied('openai', path, base)).toBe(true);
  });

  test('through the gateway, where the operator has replaced the base URL', async () => {
    for (const path of ['openai/v1/organization/projects', 'openai/v1/%6Frganization/projects']) {
      const response = await call(proxy, `/api/proxy/${path}`, { token });
      expect(await response.json()).toMatchObject({ code: 'path_not_allowed' });
    }
    expect(world.calls).toEqual([]);
  });

  test('in any spelling: letters in either case, encoded up to three times, with slashes repeated', () => {
    const paths = catalogue.flatMap(({ id, denied }) =>
      denied.paths.map((path) => [id, path.replace(/\/\*\*$/, '').replaceAll('*', 'x')] as const),
    );
    const spelled = fc
      .constantFrom(...paths)
      .chain(([id, path]) =>
        fc
          .tuple(...[...path].map((letter) => (letter === '/' ? slash : spellings(letter))))
          .map((letters) => [id, letters.join('')] as const),
      );
    fc.assert(fc.property(spelled, ([id, path]) => isDenied(id, path)));
  });
});

const encoded = (letter: string) => `%${letter.charCodeAt(0).toString(16)}`;
const spellings = (letter: string) =>
  fc.constantFrom(
    letter,
    letter.toUpperCase(),
    letter.toLowerCase(),
    encoded(letter),
    encoded(letter).replace('%', '%25'),
    encoded(letter).replace('%', '%2525'),
  );
const slash = fc.constantFrom('/', '/%2f', '%2F/', '/%252F');

describe('a path that is not denied passes', () => {
  test.each<[ProviderId, string]>([
    ['elevenlabs', '/v1/user/subscription'],
    ['elevenlabs', '/v1/users'],
    ['elevenlabs', '/v1/text-to-speech/user'],
    ['openai', '/v1/chat/completions'],
    ['openai', '/v1/models/organization'],
    ['openai', '/v1/organizational'],
    ['openai', '/v1/realtime/calls'],
    ['fireworks', '/v1/accounts/me/models'],
    ['openrouter', '/api/v1/models'],
    ['perplexity', '/chat/completions'],
    ['gemini', '/v1beta/models/gemini-flash:generateContent'],
    ['huggingface', '/v1/chat/completions'],
  ])('%s %s', async (provider, path) => {
    expect(isDenied(provider, path)).toBe(false);
  });

  test('and reaches the provider', async () => {
    const response = await call(proxy, '/api/proxy/elevenlabs/v1/user/subscription', { token });
    expect(response.status).toBe(200);
    expect(world.calls.map(({ target }) => target)).toEqual(['/v1/user/subscription']);
  });
});

describe.each(catalogue)('the catalogue’s entry of $id', ({ denied }) => {
  test('names its sources, and paths in the form that is matched', () => {
    for (const source of denied.sources) expect(new URL(source).protocol).toBe('https:');
    for (const path of denied.paths) {
      expect(path).toMatch(/^(?:\/(?:\*|[\w-]+))+(?:\/\*\*)?$/);
      // Only one name may follow a wildcard, or nothing may: a second try is never needed then.
      expect(path).not.toMatch(/\/\*\/[^/*]+\/[^/*]/);
      if (path.includes('/*/')) expect(path).toMatch(/\/\*\*$/);
    }
  });
});
