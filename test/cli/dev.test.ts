import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { QUIET_MS } from '../../dev/host/watch-sources.ts';
import { createWebServer } from '../../dev/http/create-web-server.ts';
import { closeServer, listen } from '../../dev/http/listen.ts';
import { startKv } from '../../dev/kv/start-kv.ts';
import { hang } from '../support/answers.ts';
import { type RunningCommand, runCommand } from '../support/command.ts';
import { startTestProviders } from '../support/providers.ts';
import { newProviderKey } from '../support/start-world.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** How long something that is about to happen may take on a busy machine. */
const SOON = { timeout: 15_000 };

vi.setConfig({ testTimeout: 90_000 });

const FUNCTIONS = /Functions +(http:\/\/127\.0\.0\.1:\d+)/;
const READY = /Calls will be listed here/;
const hasShell = spawnSync('bash', ['-c', 'command -v curl']).status === 0;

async function providers() {
  const started = await startTestProviders();
  onTestFinished(() => started.close());
  return started;
}

/** Runs `dev` on ports the system picks, until it is ready. */
async function runDev(directory: string, env: Readonly<Record<string, string>> = {}) {
  const command = runCommand(['dev', '--port', '0'], directory, env);
  await command.printed(READY);
  const url = await command.printed(FUNCTIONS);
  return { command, url };
}

async function tokenOf(command: RunningCommand, user = 'alice'): Promise<string> {
  const address = await command.printed(/(http:\/\/127\.0\.0\.1:\d+\/token)\?user=/);
  return (await (await fetch(`${address}?user=${user}`)).text()).trim();
}

/** What a shell prints when these lines are pasted into it and that is typed. */
async function paste(lines: readonly string[], typed: string): Promise<string> {
  const shell = promisify(execFile)('bash', ['-c', `set -e\n${lines.join('\n')}`]);
  shell.child.stdin?.end(typed);
  const { stdout, stderr } = await shell;
  expect(stderr).toBe('');
  return stdout;
}

function call(url: string, token: string, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url + path, { ...init, headers: { authorization: `Bearer ${token}` } });
}

test.skipIf(!hasShell)('every command it prints works when it is pasted', async () => {
  const { env, calls } = await providers();
  const { command } = await runDev(await temporaryDirectory(), env);
  const key = newProviderKey();
  // Bash alone reads the key from what is typed; it is in no command line.
  const stdout = await paste(command.commands(), `${key}\n`);
  const [stored, listed, called] = stdout.trim().split('\n');
  expect(stored).toContain('"status":"valid"');
  expect(listed).toContain('"provider":"openai"');
  expect(called).toContain('"data":[]');
  expect(calls.map(({ credential }) => credential)).toEqual([key, key]);
  expect(stdout + command.output()).not.toContain(key);
});

test('a call is listed with its status, and never with its query', async () => {
  const { command, url } = await runDev(await temporaryDirectory());
  await fetch(`${url}/api/health?key=hidden`);
  await command.printed(/200 +GET +\/api\/health \d+ ms/);
  expect(command.output()).not.toContain('hidden');
});

test('Ctrl-C stops everything: it exits with 0 and leaves no process and no open port', async () => {
  const { command, url } = await runDev(await temporaryDirectory());
  command.signal('SIGINT', 'everything');
  expect(await command.exited).toBe(0);
  await command.nothingLeft();
  await expect(fetch(`${url}/api/health`)).rejects.toThrow();
});

test('SIGTERM to the command alone stops everything too', async () => {
  const { command } = await runDev(await temporaryDirectory());
  command.signal('SIGTERM');
  expect(await command.exited).toBe(0);
  await command.nothingLeft();
});

test('Ctrl-C that arrives twice at once, as through npm, still stops in order; a later one forces', async () => {
  const { env, answerWith, calls } = await providers();
  const { command, url } = await runDev(await temporaryDirectory(), env);
  const token = await tokenOf(command);
  await call(url, token, '/api/keys/openai', {
    method: 'PUT',
    body: JSON.stringify({ key: newProviderKey() }),
  });
  answerWith(hang);
  const before = calls.length;
  const hanging = call(url, token, '/api/proxy/openai/v1/models').catch(() => 'cut');
  await expect.poll(() => calls.length, SOON).toBe(before + 1);

  command.signal('SIGINT');
  command.signal('SIGINT');
  await command.printed(/stopping/);
  const pressing = setInterval(() => command.signal('SIGINT', 'everything'), 100);
  onTestFinished(() => clearInterval(pressing));
  expect(await command.exited).toBe(130);
  clearInterval(pressing);
  await command.nothingLeft();
  expect(await hanging).toBe('cut');
});

test('after kill -9, also in the middle of a call, nothing is left running, and every stored key is there again', async () => {
  const { env, calls, answerWith, reset } = await providers();
  const directory = await temporaryDirectory();
  const key = newProviderKey();
  const first = await runDev(directory, env);
  const body = JSON.stringify({ key });
  const stored = await call(first.url, await tokenOf(first.command), '/api/keys/openai', {
    method: 'PUT',
    body,
  });
  expect(stored.status).toBe(201);
  answerWith(hang);
  const cut = call(first.url, await tokenOf(first.command), '/api/proxy/openai/v1/files').catch(() => 'cut');
  await expect.poll(() => calls.at(-1)?.target, SOON).toBe('/v1/files');
  first.command.signal('SIGKILL');
  expect(await first.command.exited).toBe('SIGKILL');
  await first.command.nothingLeft();
  expect(await cut).toBe('cut');
  reset();
  // In local mode the key is in this file too; what has to be there again is the one in the store.
  await rm(join(directory, '.env'), { force: true });

  const second = await runDev(directory, env);
  const answer = await call(second.url, await tokenOf(second.command), '/api/proxy/openai/v1/models');
  expect(answer.status).toBe(200);
  expect(calls.at(-1)?.credential).toBe(key);
});

test('data that an earlier version has kept is moved to the names of this one', async () => {
  const directory = await temporaryDirectory();
  const { command } = await runDev(directory);
  command.signal('SIGTERM');
  await command.exited;
  const kv = await startKv({ dataDirectory: join(directory, '.userkeys/kv') });
  const startedAt = '2026-01-02T03:04:05.678Z';
  const written = await fetch(kv.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${kv.token}` },
    body: JSON.stringify(['HSET', 'userkeys:onboarding:alice', 'startedAt', startedAt, 'revision', 'r']),
  });
  expect(written.status).toBe(200);
  await kv.close();

  const second = await runDev(directory);
  await second.command.printed(/Moved the data of 1 user to the names of this version/);
  const answer = await call(second.url, await tokenOf(second.command), '/api/onboarding');
  expect(await answer.json()).toMatchObject({ startedAt });
});

test('what it keeps is readable by its owner alone, and the master key is made once', async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, '.userkeys/vault-keys');
  const first = await runDev(directory);
  const made = await readFile(file, 'utf8');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, '.userkeys'))).mode & 0o777).toBe(0o700);
  first.command.signal('SIGINT');
  await first.command.exited;
  await runDev(directory);
  expect(await readFile(file, 'utf8')).toBe(made);
  expect(first.command.output()).not.toContain(made.trim().split(':')[1]);
});

test('a damaged master key file is an error that says what to do, and is left as it is', async () => {
  const directory = await temporaryDirectory();
  await (await runDev(directory)).command.signal('SIGKILL', 'everything');
  const file = join(directory, '.userkeys/vault-keys');
  await writeFile(file, 'dev1:damaged');
  const command = runCommand(['dev', '--port', '0'], directory);
  expect(await command.exited).toBe(1);
  expect(command.output()).toContain('does not hold master keys');
  expect(command.output()).not.toContain('damaged');
  expect(await readFile(file, 'utf8')).toBe('dev1:damaged');
});

test('a taken port is no obstacle: it takes the next free ones and says so', async () => {
  const occupants = [createWebServer(() => new Response()), createWebServer(() => new Response())];
  onTestFinished(async () => void (await Promise.all(occupants.map(closeServer))));
  const taken = await listen(occupants[0] ?? expect.unreachable());
  await listen(occupants[1] ?? expect.unreachable(), taken + 1).catch(() => {});
  const command = runCommand(['dev', '--port', String(taken)], await temporaryDirectory());
  await command.printed(READY);
  const url = await command.printed(FUNCTIONS);
  expect(Number(new URL(url).port)).toBeGreaterThan(taken);
  expect(command.output()).toContain(`Port ${taken} is taken, so the functions are on ${new URL(url).port}.`);
  expect((await fetch(`${url}/api/health`)).status).toBe(200);
});

test.each(['the environment', '.env', '.env.local'])(
  'a KV configured in %s is used, and none is started',
  async (place) => {
    const requests: unknown[] = [];
    const kv = await startKv({ onRequest: (commands) => requests.push(commands) });
    onTestFinished(() => kv.close());
    const directory = await temporaryDirectory();
    const variables = { KV_REST_API_URL: kv.url, KV_REST_API_TOKEN: kv.token };
    if (place !== 'the environment') {
      const lines = Object.entries(variables).map(([name, value]) => `${name}="${value}"\n`);
      await writeFile(join(directory, place), lines.join(''));
    }
    const { command, url } = await runDev(directory, place === 'the environment' ? variables : {});
    expect(await command.printed(/Key store.*/)).toContain('configured: KV_REST_API_URL');
    expect(await command.printed(/Key store.*/)).toContain(kv.url);
    await call(url, await tokenOf(command), '/api/keys');
    expect(requests.length).toBeGreaterThan(0);
    expect(existsSync(join(directory, '.userkeys/kv'))).toBe(false);
  },
);

test('an issuer that is configured is not started, and the commands ask for a token instead', async () => {
  const { command } = await runDev(await temporaryDirectory(), { AUTH_ISSUER: 'https://issuer.example' });
  expect(await command.printed(/Issuer.*/)).toContain('https://issuer.example');
  expect(command.commands()[0]?.trim()).toBe('read -rs TOKEN');
});

test('it starts again for another configuration, and not for a provider key that was written to .env', async () => {
  const directory = await temporaryDirectory();
  const { command, url } = await runDev(directory);
  const statuses = async () => {
    const token = await tokenOf(command);
    const answers = [await call(url, token, '/api/keys'), await call(url, token, '/api/keys')];
    return answers.map(({ status }) => status);
  };
  expect(await statuses()).toEqual([200, 200]);
  await writeFile(join(directory, '.env'), 'OPENAI_API_KEY=sk-written-later\n');
  // That nothing happens takes the time in which it would have.
  const writtenAt = Date.now();
  await vi.waitUntil(() => Date.now() - writtenAt > 5 * QUIET_MS);
  expect(command.output()).not.toContain('reloaded');
  await writeFile(join(directory, '.env.local'), 'MISTRAL_API_KEY=written-later\nRATE_LIMIT_PER_MINUTE=77\n');
  await command.printed(/reloaded: the configuration changed/);
  await writeFile(join(directory, '.env.local'), 'RATE_LIMIT_PER_MINUTE=1\n');
  await command.printed(/reloaded: the configuration changed[\s\S]*reloaded: the configuration changed/);
  expect(command.output().match(/reloaded/g)).toHaveLength(2);
  expect((await statuses()).at(-1)).toBe(429);
});

test('a malformed setting is named at the start, and its value is not shown', async () => {
  const { command } = await runDev(await temporaryDirectory(), { VAULT_KEYS: 'k1:not-a-master-key' });
  await command.printed(/Not configured\. VAULT_KEYS/);
  expect(command.output()).not.toContain('not-a-master-key');
});

test('it says where the page is, and in local mode that keys go to .env too and how to keep users apart', async () => {
  const local = await runDev(await temporaryDirectory());
  expect(local.command.output()).toContain(`Page        ${local.url}/ `);
  expect(local.command.output()).toContain('saved keys also go to .env, in plain text');
  expect((await fetch(local.url)).status).toBe(200);
  local.command.signal('SIGINT');
  await local.command.exited;
  const apart = await runDev(await temporaryDirectory(), { DEPLOY_ENV: 'production' });
  expect(apart.command.output()).not.toContain('Local mode');
});

test('a second one on the same data says that the first runs, and which option gives it data of its own', async () => {
  const directory = await temporaryDirectory();
  await runDev(directory);
  const second = runCommand(['dev', '--port', '0'], directory);
  expect(await second.exited).toBe(1);
  expect(second.output()).toContain('already runs here');
  expect(second.output()).toContain('npm run dev -- --data <directory>');
});

test('it prints no colour where there is no terminal', async () => {
  const { command } = await runDev(await temporaryDirectory());
  expect(command.output()).not.toContain('\u001b[');
});
