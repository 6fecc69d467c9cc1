import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { type VercelBuild, vercelBuild } from '../../dev/vercel/build.ts';
import { type BuiltFunction, serveBuiltFunction } from '../../dev/vercel/serve-built-function.ts';
import { stall } from '../support/answers.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

/** Vercel's Hobby plan allows 12 functions; an app needs room for its own. */
const MAX_FUNCTIONS = 6;
/** Installing the CLI, the first time, and a build. */
const BUILD_TIMEOUT_MS = 600_000;

const BuildConfig = z.object({
  routes: z.array(z.object({ src: z.string().optional(), dest: z.string().optional() })),
});

let build: VercelBuild;
let world: World;
const functions = () => join(build.outputDirectory, 'functions');

beforeAll(async () => {
  [build, world] = await Promise.all([vercelBuild(), startWorld({ applyEnv: false })]);
}, BUILD_TIMEOUT_MS);
afterAll(async () => {
  await Promise.all([build?.remove(), world?.close()]);
});
afterEach(() => world.providers.reset());

/** Runs the function of that file of `api/`, until the test is over. */
async function serve(name: string): Promise<BuiltFunction> {
  const running = await serveBuiltFunction(join(functions(), 'api', `${name}.func`), world.env);
  onTestFinished(() => running.close());
  return running;
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}

describe('a build', () => {
  test('has one function for each file of api/, at most 6', async () => {
    const sources = (await filesIn('api')).map((file) => join('api', file.replace(/\.ts$/, '')));
    const built = (await filesIn(functions()))
      .filter((file) => file.endsWith('.vc-config.json'))
      .map((file) => dirname(file).replace(/\.func$/, ''));
    expect(built.sort()).toEqual(sources.sort());
    expect(built.length).toBeLessThanOrEqual(MAX_FUNCTIONS);
  });

  test('publishes the page and nothing of the sources, tests, tools or settings', async () => {
    const published = await filesIn(join(build.outputDirectory, 'static'));
    expect(published).toContain('index.html');
    const elsewhere = /^(api|lib|dev|test|bench|docs|node_modules)\/|\.(ts|md|lock)$|(^|\/)\.|package.*json$/;
    expect(published.filter((file) => elsewhere.test(file))).toEqual([]);
  });

  test('gives a function its bundle and no source, package, test, tool or other function', async () => {
    for (const config of (await filesIn(functions())).filter((file) => file.endsWith('.vc-config.json'))) {
      const directory = join(functions(), dirname(config));
      const shared = /^lib\/(serve|chunks\/[\w-]+)\.js$|^package\.json$|^\.vc-config\.json$/;
      const rest = (await filesIn(directory)).filter((file) => !shared.test(file));
      const handler = dirname(config).replace(/\.func$/, '.js');
      expect(rest.sort()).toEqual([handler, `${handler}.map`]);
    }
  });

  test('keeps the names of classes, which the log prints of unexpected errors', async () => {
    const text = await readFile(join(functions(), 'api/proxy.func/lib/chunks/base.js'), 'utf8');
    for (const name of ['Problem', 'ConfigError', 'SendError']) {
      expect(text).toMatch(new RegExp(`\\b(${name}=class|class ${name}) extends Error\\b`));
    }
  });

  test('sends every path to its function and adds nothing to its query', async () => {
    const { routes } = BuildConfig.parse(
      JSON.parse(await readFile(join(build.outputDirectory, 'config.json'), 'utf8')),
    );
    const destinationOf = (path: string) =>
      routes.find(({ src, dest }) => src !== undefined && dest !== undefined && new RegExp(src).test(path))
        ?.dest;
    expect(destinationOf('/api/proxy/openai/v1/chat/completions')).toBe('/api/proxy');
    expect(destinationOf('/api/cron/rotate')).toBe('/api/rotate');
    expect(destinationOf('/api/keys/openai')).toBe('/api/userkeys');
  });
});

/** Answers one request and prints the names of the files that were loaded for it. */
const LOAD_FUNCTION = `
import { registerHooks } from 'node:module';
const files = [];
registerHooks({
  load(url, context, next) {
    if (url.startsWith('file:')) files.push(url);
    return next(url, context);
  },
});
const [file, address, method, headers, body] = process.argv.slice(1);
const handlers = await import(file);
const response = await handlers[method](new Request(address, { method, headers: JSON.parse(headers), body }));
await response.arrayBuffer();
process.on('exit', () => console.log(JSON.stringify({ status: response.status, files })));
`;

const Loaded = z.object({ status: z.int(), files: z.array(z.string()) });

/** What every function starts with. */
const START = ['serve.js', 'base.js', 'rolldown-runtime.js'];

describe('a cold start of a built function', () => {
  test.each([
    { name: 'userkeys', path: '/api/providers', files: ['providers.js'] },
    { name: 'userkeys', path: '/api/health', files: ['health.js', 'rotation-state.js', 'call.js'] },
    {
      name: 'userkeys',
      path: '/api/keys',
      files: ['keys.js', 'stored-keys.js', 'delete-keys.js', 'call.js'],
    },
    { name: 'proxy', path: '/api/proxy/openai/v1/models', files: ['call.js'] },
    {
      name: 'generate',
      path: '/api/generate',
      json: { provider: 'mistral', prompt: 'Hello' },
      files: ['generate.js', 'provider-refusal.js', 'call.js'],
    },
    { name: 'rotate', path: '/api/cron/rotate', files: ['rotate.js', 'rotation-state.js', 'call.js'] },
  ])('that answers $path loads no file that it does not need', async ({ name, path, json, files }) => {
    const token = await world.tokenFor('carol');
    const keys = await serve('userkeys');
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    for (const provider of ['openai', 'mistral']) {
      const body = JSON.stringify({ key: newProviderKey() });
      await fetch(`${keys.url}/api/keys/${provider}`, { method: 'PUT', headers, body });
    }
    const directory = join(functions(), 'api', `${name}.func`);
    const args = [
      ...[pathToFileURL(join(directory, `api/${name}.js`)).href, `http://127.0.0.1${path}`],
      json === undefined ? 'GET' : 'POST',
      JSON.stringify(name === 'rotate' ? { authorization: `Bearer ${world.env.CRON_SECRET}` } : headers),
      ...(json === undefined ? [] : [JSON.stringify(json)]),
    ];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', LOAD_FUNCTION, ...args],
      { cwd: directory, env: { ...world.env, VERCEL: '1', VERCEL_ENV: 'production' } },
    );
    const loaded = Loaded.parse(JSON.parse(stdout));
    expect(loaded.status).toBe(200);
    const own = loaded.files.map((url) => basename(new URL(url).pathname));
    expect(own.sort()).toEqual([`${name}.js`, ...START, ...files].sort());
  });
});

describe('a built function', () => {
  test('runs on Node 24, may take as long as a model needs, and learns when its caller has left', async () => {
    const { config } = await serve('proxy');
    expect(config).toMatchObject({ runtime: 'nodejs24.x', maxDuration: 300, supportsCancellation: true });
  });

  test('knows that it is deployed, and answers with its store', async () => {
    const { url } = await serve('userkeys');
    const response = await fetch(`${url}/api/health`);
    expect(await response.json()).toEqual({ status: 'ok', mode: 'production', kv: 'ok' });
  });

  test('refuses a caller without a token', async () => {
    const { url } = await serve('userkeys');
    const response = await fetch(`${url}/api/keys`);
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await response.json()).toMatchObject({ code: 'token_missing' });
  });

  test('names the missing variables where it was deployed without its settings', async () => {
    const running = await serveBuiltFunction(join(functions(), 'api/userkeys.func'), {});
    onTestFinished(() => running.close());
    const response = await fetch(`${running.url}/api/health`);
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ code: 'not_configured' });
  });

  test('seals a key that another function opens for its owner’s call', async () => {
    const [keys, proxy, token] = await Promise.all([
      serve('userkeys'),
      serve('proxy'),
      world.tokenFor('alice'),
    ]);
    const key = newProviderKey();
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const saved = await fetch(`${keys.url}/api/keys/openai?provider=openai`, {
      method: 'PUT',
      headers,
      body: JSON.stringify({ key }),
    });
    expect(saved.status).toBe(201);
    await fetch(`${proxy.url}/api/proxy/openai/v1/models?limit=1`, { headers });
    expect(world.calls.at(-1)).toMatchObject({ target: '/v1/models?limit=1', credential: key });
  });

  test('ends the call to the provider when its caller leaves', async () => {
    const [keys, proxy, token] = await Promise.all([
      serve('userkeys'),
      serve('proxy'),
      world.tokenFor('bob'),
    ]);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ key: newProviderKey() });
    await fetch(`${keys.url}/api/keys/openai`, { method: 'PUT', headers, body });
    world.providers.answerWith(stall);
    const leaving = new AbortController();
    const response = await fetch(`${proxy.url}/api/proxy/openai/v1/responses`, {
      method: 'POST',
      headers,
      body: '{}',
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    leaving.abort();
    await world.calls.at(-1)?.left;
    expect(world.calls.at(-1)?.hasLeft()).toBe(true);
  });
});
