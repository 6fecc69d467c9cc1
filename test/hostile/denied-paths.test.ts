/** The paths of each provider that return or make keys, written in every way that a server may read as the same path. */
import { afterAll, beforeAll, expect } from 'vitest';
import { catalogue, type ProviderId, providerIds } from '../../lib/providers/catalogue.ts';
import { defineFamily } from './family.ts';
import { assertAnswer, assertNoSecrets, assertPaidBy } from './promises.ts';
import { type Person, type Service, startService } from './start-service.ts';

const attack = defineFamily('denied-paths');

let service: Service;
let alice: Person;
beforeAll(async () => {
  service = await startService();
  alice = await service.person('alice', providerIds);
  await service.settle();
});
afterAll(() => service.close());

const encodeAt = (path: string, at: number, layers: number) => {
  const character = path.at(at) ?? 'x';
  const hex = character.charCodeAt(0).toString(16);
  const index = at < 0 ? path.length + at : at;
  return `${path.slice(0, index)}%${'25'.repeat(layers)}${hex}${path.slice(index + 1)}`;
};
const lastSlash = (path: string, instead: string) => {
  const at = path.lastIndexOf('/');
  return `${path.slice(0, at)}${instead}${path.slice(at + 1)}`;
};
/** Ways to write a path that a provider might read as that path. Each path is tried in a third of them. */
const WRITINGS: readonly (readonly [string, (path: string) => string])[] = [
  ['as it is', (path) => path],
  ['with a query', (path) => `${path}?a=b`],
  ['with a trailing slash', (path) => `${path}/`],
  ['in upper case', (path) => path.toUpperCase()],
  ['with an encoded letter', (path) => encodeAt(path, -1, 0)],
  ['with a letter encoded twice', (path) => encodeAt(path, -1, 1)],
  ['with a letter encoded three times', (path) => encodeAt(path, -2, 2)],
  ['with its first letter encoded', (path) => encodeAt(path, 1, 0)],
  ['with an encoded slash', (path) => lastSlash(path, '%2f')],
  ['with a slash encoded twice', (path) => lastSlash(path, '%252F')],
  ['with two slashes', (path) => lastSlash(path, '//')],
  ['with a backslash', (path) => lastSlash(path, '%5c')],
  ['with a dot segment', (path) => lastSlash(path, '/./')],
  ['with an encoded dot segment', (path) => lastSlash(path, '/%2e/')],
  ['out of another directory', (path) => `/x/..${path}`],
  ['out of another directory, encoded', (path) => `/x/%2e%2e${path}`],
  ['with a parameter', (path) => `${path};a=b`],
  ['with a parameter in front', (path) => lastSlash(path, ';a=b/')],
  ['with a fragment', (path) => `${path}#x`],
  ['with an encoded fragment', (path) => `${path}%23x`],
  ['with an encoded query', (path) => `${path}%3fa=b`],
  ['with an encoded NUL', (path) => `${path}%00`],
  ['with an encoded space', (path) => `${path}%20`],
  ['with a full stop', (path) => `${path}.`],
  ['with an extension', (path) => `${path}.json`],
];

const denied = catalogue.flatMap(({ id, denied: { paths } }) =>
  paths.map((pattern) => [id, pattern.replaceAll('/**', '').replaceAll('*', 'account')] as const),
);
attack<readonly [ProviderId, string, string]>(
  'a denied path reaches no provider, however it is written',
  denied.flatMap(([id, path], row) =>
    WRITINGS.filter((_, column) => (row + column) % 3 === 0).map(([how, write], column) => {
      const method = ['GET', 'POST', 'PUT', 'DELETE'][(row + column) % 4] ?? 'GET';
      return [`${method} ${id} ${path} ${how}`, [id, write(path), method] as const] as const;
    }),
  ),
  async ([id, path, method]) => {
    await service.settle();
    const calls = service.world.calls.length;
    const exchange = await service.send(`/api/proxy/${id}${path}`, { method, token: alice.token });
    expect(exchange.isTimeout).toBe(false);
    expect(exchange.answers).toHaveLength(1);
    for (const answer of exchange.answers) {
      assertAnswer(service, answer, [
        'path_not_allowed',
        'path_refused',
        'not_found',
        'unknown_provider',
        'method_not_allowed',
        400,
      ]);
    }
    assertNoSecrets(service, exchange.answers, [alice.token]);
    await service.settle();
    assertPaidBy(service, undefined, calls);
  },
);
attack<readonly [ProviderId, string]>(
  'what is below a denied path reaches no provider',
  catalogue.flatMap(({ id, denied: { paths } }) =>
    paths
      .filter((pattern) => pattern.endsWith('/**'))
      .flatMap((pattern) =>
        ['x', 'x/y', 'x%2fy', '%78'].map((rest) => {
          const path = `${pattern.slice(0, -3).replaceAll('*', 'account')}/${rest}`;
          return [`${id} ${path}`, [id, path] as const] as const;
        }),
      ),
  ),
  async ([id, path]) => {
    await service.settle();
    const calls = service.world.calls.length;
    const exchange = await service.send(`/api/proxy/${id}${path}`, { token: alice.token });
    for (const answer of exchange.answers)
      assertAnswer(service, answer, ['path_not_allowed', 'path_refused']);
    await service.settle();
    assertPaidBy(service, undefined, calls);
  },
);
