/** Every snippet of the README runs as it stands, and every command it names is there and does what it says. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createHost } from '../../dev/host/create-host.ts';
import { createWebServer } from '../../dev/http/create-web-server.ts';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { Secret } from '../../lib/secret.ts';
import { parseMasterKeys } from '../../lib/vault/master-keys.ts';
import { json } from '../support/answers.ts';
import { call } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

const readme = readFileSync('README.md', 'utf8');
const { scripts } = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync('package.json', 'utf8')));

const handlers = z.record(
  z.string(),
  z.custom<(request: Request) => Promise<Response>>((f) => typeof f === 'function'),
);
const asks = z.record(
  z.string(),
  z.custom<(deployment: string, token: string) => Promise<string>>((f) => typeof f === 'function'),
);

let world: World;
let folder: string;
let deployment: string;
let token: string;
let server: ReturnType<typeof createWebServer>;
const keys = { openai: newProviderKey(), deepseek: newProviderKey(), gemini: newProviderKey() };

beforeAll(async () => {
  world = await startWorld();
  folder = await mkdtemp(join('test', 'docs', 'snippets-'));
  const host = await createHost(process.cwd());
  server = createWebServer(host.handle);
  deployment = `http://${LOOPBACK}:${await listen(server)}`;
  token = await world.tokenFor('alice');
  for (const [provider, key] of Object.entries(keys)) {
    const response = await fetch(`${deployment}/api/keys/${provider}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ key }),
    });
    expect(response.status).toBe(201);
  }
  world.providers.reset();
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await closeServer(server);
  await world.close();
});

/** The snippet behind `<!-- tested: name -->`, as a module; it stands in a folder of its own beside `lib/`. */
async function load(name: string): Promise<unknown> {
  const snippet = new RegExp(`<!-- tested: ${name} -->\n\`\`\`ts\n([^]*?)\`\`\``).exec(readme)?.[1];
  if (snippet === undefined) throw new Error(`README.md has no snippet named ${name}`);
  const file = join(folder, `${name}.ts`);
  await writeFile(file, snippet.replaceAll("'../lib/", "'../../../lib/"));
  return import(/* @vite-ignore */ `${process.cwd()}/${file}`);
}

test('every snippet is one that is run here', () => {
  const fences = readme.match(/^```ts$/gm) ?? [];
  expect(readme.match(/<!-- tested: [\w-]+ -->\n```ts\n/g)).toHaveLength(fences.length);
});

test('the gateway snippet gets an answer, paid by the user’s key', async () => {
  const { ask } = asks.parse({ ...Object(await load('gateway')) });
  expect(await ask?.(deployment, token)).toBe('Hello from openai');
  expect(world.calls.at(-1)?.credential).toBe(keys.openai);
});

test('the fetch snippet streams a text', async () => {
  const { write } = asks.parse({ ...Object(await load('fetch')) });
  expect(await write?.(deployment, token)).toBe('Hello from gemini');
  expect(world.calls.at(-1)?.credential).toBe(keys.gemini);
});

test('the in-code snippet calls the provider with the caller’s key, and refuses a caller without one', async () => {
  world.providers.answerWith(json({ is_available: true }), 'deepseek');
  const module = handlers.parse({ ...Object(await load('in-code')) });
  const response = await call(module, '/api/balance', { method: 'POST', token });
  expect(await response.json()).toEqual({ is_available: true });
  expect(world.calls.at(-1)?.credential).toBe(keys.deepseek);
  const stranger = await call(module, '/api/balance', { method: 'POST', token: await world.tokenFor('bob') });
  expect(await stranger.json()).toMatchObject({ code: 'key_missing' });
});

test('the legacy snippet sees the caller’s key in process.env, and nobody else’s', async () => {
  const module = handlers.parse({ ...Object(await load('legacy')) });
  const ask = async (as: string) => (await call(module, '/api/legacy', { token: as })).json();
  expect(await ask(token)).toEqual({ path: '/api/legacy', hasKey: true });
  expect(await ask(await world.tokenFor('bob'))).toEqual({ path: '/api/legacy', hasKey: false });
});

test('every npm script it names exists', () => {
  const named = [...readme.matchAll(/(?:`|^)npm (?:run (?:--silent )?)?([a-z][\w:-]*)/gm)].map(
    ([, name]) => name ?? '',
  );
  for (const name of new Set(named)) {
    if (name !== 'install') expect(Object.keys(scripts)).toContain(name);
  }
});

test('npm run vault-key prints a master key that is accepted, a new one each time', () => {
  const make = () => execFileSync('npm', ['run', '--silent', 'vault-key'], { encoding: 'utf8' }).trim();
  const [first, second] = [make(), make()];
  expect(parseMasterKeys(new Secret(first).reveal())).toHaveLength(1);
  expect(first.split(':')[1]).not.toBe(second.split(':')[1]);
});

test('every page it links to is there', () => {
  for (const [, target = ''] of readme.matchAll(/\]\(([^)#]+)\)/g)) expect(existsSync(target)).toBe(true);
});
