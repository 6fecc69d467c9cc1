import { execFile } from 'node:child_process';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { routes } from '../../lib/routes.ts';
import { call } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

type RoutePath = (typeof routes)[number]['path'];
type Sample = {
  readonly method?: string;
  readonly path: string;
  readonly json?: unknown;
  /** The npm packages that the call loads, besides those of every route. */
  readonly packages: readonly string[];
};

/** The configuration is parsed by zod; of jose it needs base64url. */
const EVERY_ROUTE = ['@vercel/functions', 'jose', 'zod'];
const STORE = ['@upstash/redis', '@vercel/kv', 'uncrypto', 'undici'];
/** Reads the token counts in a provider's answer. */
const METER = ['eventsource-parser'];
const AI_SDK = [
  '@ai-sdk/anthropic',
  '@ai-sdk/gateway',
  '@ai-sdk/google',
  '@ai-sdk/groq',
  '@ai-sdk/mistral',
  '@ai-sdk/openai',
  '@ai-sdk/provider',
  '@ai-sdk/provider-utils',
  '@vercel/oidc',
  '@workflow/serde',
  'ai',
];

const samples: Readonly<Record<RoutePath, Sample>> = {
  '/health': { path: '/api/health', packages: STORE },
  '/providers': { path: '/api/providers', packages: [] },
  '/keys': { path: '/api/keys', packages: STORE },
  '/keys/:provider': {
    method: 'PUT',
    path: '/api/keys/mistral',
    json: { key: newProviderKey() },
    packages: STORE,
  },
  '/onboarding': { path: '/api/onboarding', packages: STORE },
  '/generate': {
    method: 'POST',
    path: '/api/generate',
    json: { provider: 'openai', model: 'gpt-5.4-mini', prompt: 'Hello' },
    packages: [...STORE, ...METER, ...AI_SDK],
  },
  '/search': {
    method: 'POST',
    path: '/api/search',
    json: { query: 'userkeys' },
    packages: [...STORE, ...METER],
  },
  '/proxy/:provider/*': {
    method: 'POST',
    path: '/api/proxy/openai/v1/chat/completions',
    json: { model: 'gpt-5.4-mini', messages: [] },
    packages: [...STORE, ...METER],
  },
  '/audit': { path: '/api/audit', packages: STORE },
  '/usage': { path: '/api/usage', packages: STORE },
  '/account': { path: '/api/account', packages: STORE },
  '/cron/rotate': { path: '/api/cron/rotate', packages: STORE },
};

const root = join(import.meta.dirname, '../..');
const loader = join(import.meta.dirname, 'load-route.ts');
const loaded = z.object({ status: z.int(), files: z.array(z.string()) });

let world: World;
let token: string;

beforeAll(async () => {
  world = await startWorld();
  token = await world.tokenFor('route-packages');
  const functions = await import('../../api/userkeys.ts');
  for (const provider of ['openai', 'exa']) {
    const json = { key: newProviderKey() };
    await call(functions, `/api/keys/${provider}`, { method: 'PUT', token, json });
  }
});
afterAll(() => world.close());

/** What one call of a route loads, in a process of its own: npm packages and files of lib/. */
async function load(route: RoutePath) {
  const { method = 'GET', path, json } = samples[route];
  const credential = route === '/cron/rotate' ? world.env.CRON_SECRET : token;
  const headers = { authorization: `Bearer ${credential}`, 'content-type': 'application/json' };
  const body = json === undefined ? [] : [JSON.stringify(json)];
  const args = [loader, route, method, `http://127.0.0.1${path}`, JSON.stringify(headers), ...body];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...world.env } });
  const { status, files } = loaded.parse(JSON.parse(stdout));
  const paths = files.map((url) => relative(root, fileURLToPath(url)));
  const packages = paths.flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(path)?.[1] ?? [],
  );
  return {
    status,
    packages: [...new Set(packages)].sort(),
    lib: paths.filter((path) => path.startsWith('lib/')),
    jose: paths.flatMap((path) => /\/jose\/dist\/webapi\/(.+)$/.exec(path)?.[1] ?? []).sort(),
  };
}

describe('a cold start', () => {
  test.each(routes.map(({ path }) => path))('of %s loads only the packages of that route', async (route) => {
    const { status, packages } = await load(route);
    expect([200, 201]).toContain(status);
    expect(packages).toEqual([...EVERY_ROUTE, ...samples[route].packages].sort());
  });

  test('of /providers loads no part that it does not need', async () => {
    const { lib, jose } = await load('/providers');
    expect(jose).toEqual(['lib/buffer_utils.js', 'util/base64url.js']);
    const folders = new Set(lib.map((path) => path.split('/').at(-2)));
    for (const folder of ['redaction', 'guards', 'keys', 'audit', 'gateway', 'rotation', 'local']) {
      expect(folders).not.toContain(folder);
    }
    // 32 of the 133 files of lib/: the router, the configuration and its parts, the catalogue.
    expect(lib.length).toBeLessThanOrEqual(32);
  });
});
