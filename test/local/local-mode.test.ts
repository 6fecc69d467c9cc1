import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse as dotenv } from 'dotenv';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withUserKeys } from '../../lib/app.ts';
import { catalogue, providerIds } from '../../lib/providers/catalogue.ts';
import { errorQuotingKey, json, usual } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { holdAnswer } from '../support/hold-answer.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey, userId } from '../support/user-ids.ts';

let directory: string;
let envFile: string;
let frontendFile: string;
let world: World;
let key: HandlerModule;
let keys: HandlerModule;
let proxy: HandlerModule;
let search: HandlerModule;
let generate: HandlerModule;
let onboarding: HandlerModule;
let token: string;
let user: string;
let count = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'userkeys-local-'));
  envFile = join(directory, '.env');
  frontendFile = join(directory, 'web.env');
  world = await startWorld({
    mode: 'local',
    env: {
      ENV_FILE: envFile,
      FRONTEND_ENV_FILE: frontendFile,
      FRONTEND_ENV_NAME: 'VITE_COPILOTKIT_API_KEY',
      MISTRAL_API_KEY: newProviderKey('in-the-environment-'),
    },
  });
  key = await import('../../api/userkeys.ts');
  keys = await import('../../api/userkeys.ts');
  proxy = await import('../../api/proxy.ts');
  search = await import('../../api/userkeys.ts');
  generate = await import('../../api/generate.ts');
  onboarding = await import('../../api/userkeys.ts');
});
afterAll(async () => {
  await world.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  count += 1;
  user = `dev_${count}`;
  token = await world.tokenFor(user);
});
afterEach(async () => {
  world.providers.reset();
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
});

const save = (provider: string, value: string) =>
  call(key, `/api/keys/${provider}`, { method: 'PUT', token, json: { key: value } });
const remove = (provider: string) => call(key, `/api/keys/${provider}`, { method: 'DELETE', token });
const list = async () => (await (await call(keys, '/api/keys', { token })).json()).keys;
const content = () => readFile(envFile, 'utf8');
/** The key with which a provider call was paid. */
async function paidWith(): Promise<string | undefined> {
  const response = await call(proxy, '/api/proxy/openai/v1/models', { token });
  await response.text();
  expect(response.status).toBe(200);
  return world.calls.at(-1)?.credential;
}

describe('saving a key', () => {
  test('seals it in KV, writes it to .env under the provider’s first variable, and reports both', async () => {
    const value = newProviderKey();
    const response = await save('gemini', value);
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ provider: 'gemini', status: 'valid', envFile: 'written' });
    expect(await content()).toBe(`GEMINI_API_KEY=${value}\n`);
    expect(world.kv.requests.flat().some((command) => command.includes(kvKey('keys', user)))).toBe(true);
    expect(JSON.stringify(world.kv.requests)).not.toContain(value);
    expect(await list()).toMatchObject([{ provider: 'gemini', envFile: 'written', version: 1 }]);
  });

  test('leaves every other line unchanged, and the file readable only by its owner', async () => {
    const mine = '# my settings\r\nexport DB="a # b"\r\n\r\nEXA_API_KEY=old # from the dashboard\r\nLAST=1';
    await writeFile(envFile, mine, { mode: 0o644 });
    const value = newProviderKey();
    await save('exa', value);
    expect(await content()).toBe(mine.replace('=old', `=${value}`));
    expect((await stat(envFile)).mode & 0o777).toBe(0o600);
    expect((await readdir(directory)).sort()).toEqual(['.env', '.env.userkeys-lock.local']);
  });

  test('writes a browser key to the frontend’s file too, and no other key', async () => {
    await writeFile(frontendFile, 'VITE_TITLE=Mine\n');
    const value = newProviderKey('ck_pub_');
    await save('copilotkit', value);
    await save('openai', newProviderKey());
    expect(dotenv(await content())).toMatchObject({ COPILOTKIT_API_KEY: value });
    expect(await readFile(frontendFile, 'utf8')).toBe(`VITE_TITLE=Mine\nVITE_COPILOTKIT_API_KEY=${value}\n`);
  });

  test('changes no file if the provider rejects the key', async () => {
    await writeFile(envFile, 'OPENAI_API_KEY=former\n');
    expect((await save('openai', newProviderKey('refused-'))).status).toBe(422);
    expect(await content()).toBe('OPENAI_API_KEY=former\n');
  });

  test.each([
    ['a dollar sign', 'sk-$HOME-1234567'],
    ['a command', 'sk-$(id)-1234567'],
    ['a backtick', 'sk-`id`-12345678'],
    ['a double quote', 'sk-"1234567890'],
    ['a single quote', "sk-'1234567890"],
    ['a hash sign', 'sk-#1234567890'],
    ['a backslash', 'sk-\\n1234567890'],
    ['a backslash at its end', 'sk-1234567890\\'],
    ['a semicolon', 'sk-1;x=2345678'],
    ['a tilde', '~sk-1234567890'],
    ['an exclamation mark', 'sk-1234567890!'],
  ])('stores a key with %s only in KV, reports that, and uses this key for calls', async (_what, value) => {
    await writeFile(envFile, '# mine\nOPENAI_API_KEY=former\nA=1\n');
    const response = await save('openai', value);
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ envFile: 'kv-only' });
    // A former key in the file would be read first.
    expect(await content()).toBe('# mine\nA=1\n');
    expect(await paidWith()).toBe(value);
    expect(await list()).toMatchObject([{ provider: 'openai', envFile: 'kv-only', version: 1 }]);
  });

  test.each([
    ' ',
    ' #',
    '\t',
    '\n',
    '\r',
    '\r\n',
    '\u0085',
    '\u2028',
    '\u2029',
    '\v',
    '\f',
    '\0',
    '\u001b',
    'é',
  ])('refuses a key with the character %j and adds no second variable', async (character) => {
    await writeFile(envFile, 'A=1\n');
    const response = await save('openai', `sk-1234567890${character}EVIL=1`);
    expect(response.status).toBe(400);
    expect(await content()).toBe('A=1\n');
    expect(await list()).toEqual([]);
  });

  test('is refused if programs would read the file in different ways: nothing is written or stored', async () => {
    // Node reads the empty comment as an assignment that continues on the next line.
    const odd = "QUOTED=''\n  # = \n";
    await writeFile(envFile, odd);
    const value = newProviderKey();
    const response = await save('openai', value);
    expect(response.status).toBe(409);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'env_file_refused' });
    expect(text).not.toContain(value);
    expect(await content()).toBe(odd);
    expect(await readdir(directory)).not.toContain('.env.userkeys-draft.local');
    expect(await list()).toEqual([]);
  });

  test('does not follow a symbolic link: the key is stored only in KV, and link and target stay unchanged', async () => {
    const target = join(directory, 'elsewhere');
    await writeFile(target, 'OPENAI_API_KEY=not-ours\n');
    await symlink(target, envFile);
    const value = newProviderKey();
    expect(await (await save('openai', value)).json()).toMatchObject({ envFile: 'kv-only' });
    expect(await readFile(target, 'utf8')).toBe('OPENAI_API_KEY=not-ours\n');
    expect(await readlink(envFile)).toBe(target);
    expect(await paidWith()).toBe(value);
    expect((await remove('openai')).status).toBe(204);
    expect((await lstat(envFile)).isSymbolicLink()).toBe(true);
    expect(await readFile(target, 'utf8')).toBe('OPENAI_API_KEY=not-ours\n');
  });

  test('is refused before anything is written if the frontend’s file is a symbolic link', async () => {
    const target = join(directory, 'elsewhere');
    await writeFile(target, '');
    await symlink(target, frontendFile);
    const response = await save('copilotkit', newProviderKey('ck_pub_'));
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: 'env_file_refused' });
    expect(await readFile(target, 'utf8')).toBe('');
    expect(await readdir(directory)).not.toContain('.env');
    expect(await list()).toEqual([]);
  });

  test('stores the key only in KV if the path is a directory', async () => {
    await mkdir(envFile);
    expect(await (await save('openai', newProviderKey())).json()).toMatchObject({ envFile: 'kv-only' });
  });

  test('does not write through a link at the path of the temporary file', async () => {
    const target = join(directory, 'elsewhere');
    await writeFile(target, 'untouched');
    await symlink(target, join(directory, '.env.userkeys-draft.local'));
    const value = newProviderKey();
    await save('openai', value);
    expect(await readFile(target, 'utf8')).toBe('untouched');
    expect(await content()).toBe(`OPENAI_API_KEY=${value}\n`);
  });

  test('is refused if the key is deleted while it is checked: neither the store nor the file has it', async () => {
    for (const former of ['', 'OPENAI_API_KEY=former\n']) {
      await writeFile(envFile, `A=1\n${former}`);
      const provider = holdAnswer(world.providers, usual);
      const saving = save('openai', newProviderKey());
      await provider.asked;
      expect((await remove('openai')).status).toBe(204);
      provider.release();
      const response = await saving;
      expect(response.status).toBe(409);
      expect(await response.json()).toMatchObject({ code: 'key_deleted' });
      expect(await content()).toBe('A=1\n');
      expect(await list()).toEqual([]);
    }
  });

  test('loses no key if keys of all providers are saved concurrently', async () => {
    const values = providerIds.map((provider) => [provider, newProviderKey()] as const);
    await Promise.all(values.map(([provider, value]) => save(provider, value)));
    const written = dotenv(await content());
    for (const { id, variables } of catalogue) {
      expect(written[variables[0]]).toBe(values.find(([provider]) => provider === id)?.[1]);
    }
  });
});

describe('a key in .env', () => {
  test('takes precedence over the stored one, for every user, and is read again for each call', async () => {
    const [stored, first, second] = [newProviderKey(), newProviderKey(), newProviderKey()];
    await save('openai', stored);
    await writeFile(envFile, `OPENAI_API_KEY='${first}'\n`);
    expect(await paidWith()).toBe(first);
    token = await world.tokenFor('somebody_else');
    expect(await paidWith()).toBe(first);
    await writeFile(envFile, `export OPENAI_API_KEY=${second} # newer\n`);
    expect(await paidWith()).toBe(second);
    await rm(envFile);
    token = await world.tokenFor(user);
    expect(await paidWith()).toBe(stored);
  });

  test('is used for searches, prompts and withUserKeys', async () => {
    const [exa, gemini] = [newProviderKey(), newProviderKey()];
    await writeFile(envFile, `EXA_API_KEY="${exa}"\nGOOGLE_API_KEY=${gemini}\n`);
    await call(search, '/api/search', { method: 'POST', token, json: { query: 'coffee' } });
    expect(world.calls.at(-1)).toMatchObject({ provider: 'exa', credential: exa });
    await call(generate, '/api/generate', { method: 'POST', token, json: { prompt: 'hello' } });
    expect(world.calls.at(-1)).toMatchObject({ provider: 'gemini', credential: gemini });
    expect(await withUserKeys(userId(user), async (own) => (await own.get('gemini')).reveal())).toBe(gemini);
  });

  test('without a stored key is listed as unverified and never stored', async () => {
    const value = newProviderKey();
    await writeFile(envFile, `GROQ_API_KEY=${value}\n`);
    expect(await list()).toEqual([
      {
        provider: 'groq',
        hint: value.slice(-4),
        status: 'unverified',
        version: 0,
        createdAt: null,
        updatedAt: null,
        lastUsedAt: null,
        envFile: 'env-only',
      },
    ]);
    const described = await (await call(key, '/api/keys/groq', { token })).json();
    expect(described).toMatchObject({ envFile: 'env-only' });
    expect(described).not.toHaveProperty('key');
  });

  test('is shown if it differs from the stored one', async () => {
    await save('openai', newProviderKey());
    const byHand = newProviderKey();
    await writeFile(envFile, `OPENAI_API_KEY=${byHand}\n`);
    expect(await list()).toMatchObject([{ hint: byHand.slice(-4), envFile: 'env-only', version: 0 }]);
  });

  test('is checked with its provider on request', async () => {
    await writeFile(envFile, `OPENAI_API_KEY=${newProviderKey()}\n`);
    const check = async () => (await call(key, '/api/keys/openai', { method: 'POST', token })).json();
    expect(await check()).toMatchObject({ status: 'valid', envFile: 'env-only' });
    world.providers.answerNextWith(errorQuotingKey(401));
    expect(await check()).toMatchObject({ status: 'invalid' });
    world.providers.answerNextWith(json({}, 500));
    expect(await check()).toMatchObject({ status: 'unverified' });
  });

  test('is returned if it is made for the browser', async () => {
    const value = newProviderKey('ck_pub_');
    await writeFile(envFile, `NEXT_PUBLIC_COPILOTKIT_API_KEY=${value}\n`);
    expect(await (await call(key, '/api/keys/copilotkit', { token })).json()).toMatchObject({ key: value });
  });

  test('is sufficient for the onboarding', async () => {
    await writeFile(envFile, `GROQ_API_KEY=${newProviderKey()}\n`);
    const response = await call(onboarding, '/api/onboarding', {
      method: 'PATCH',
      token,
      json: { step: 'api-keys', status: 'completed' },
    });
    expect(response.status).toBe(200);
  });

  test.each([
    ['empty', 'OPENAI_API_KEY=\n'],
    ['white space', 'OPENAI_API_KEY="   "\n'],
    ['of two lines', 'OPENAI_API_KEY="one\ntwo"\n'],
    ['not ASCII', 'OPENAI_API_KEY=schlüssel\n'],
    ['in a comment', '#OPENAI_API_KEY=sk-1234567890\n'],
  ])('that is %s is ignored: the stored one is used', async (_what, text) => {
    const stored = newProviderKey();
    await save('openai', stored);
    await writeFile(envFile, text);
    expect(await paidWith()).toBe(stored);
  });

  test('is used, and one in the process environment is not', async () => {
    const response = await call(proxy, '/api/proxy/mistral/v1/models', { token });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'key_missing' });
  });
});

test('a file that cannot be read is an error that names the setting, not "no key"', async () => {
  await rm(directory, { recursive: true });
  await writeFile(directory, 'a file where the directory should be');
  for (const answer of [
    call(keys, '/api/keys', { token }),
    call(proxy, '/api/proxy/openai/v1/models', { token }),
  ]) {
    const response = await answer;
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({
      code: 'not_configured',
      detail: 'ENV_FILE: cannot be read.',
    });
  }
});

describe('deleting a key', () => {
  test('removes it from KV, from .env under each of its names, and from the frontend’s file', async () => {
    await save('copilotkit', newProviderKey('ck_pub_'));
    await writeFile(
      envFile,
      `A=1\n${await content()}NEXT_PUBLIC_COPILOTKIT_API_KEY=x1234567\nCOPILOTKIT_API_KEY=again\nB=2\n`,
    );
    await writeFile(frontendFile, `${await readFile(frontendFile, 'utf8')}VITE_TITLE=Mine\n`);
    for (const _again of [1, 2]) expect((await remove('copilotkit')).status).toBe(204);
    expect(await content()).toBe('A=1\nB=2\n');
    expect(await readFile(frontendFile, 'utf8')).toBe('VITE_TITLE=Mine\n');
    expect(await list()).toEqual([]);
  });

  test('removes every key and leaves everything else', async () => {
    await writeFile(envFile, '# mine\nDATABASE_URL=postgres://db\n');
    for (const provider of ['openai', 'exa', 'copilotkit']) await save(provider, newProviderKey());
    expect((await call(keys, '/api/keys', { method: 'DELETE', token })).status).toBe(204);
    expect(await content()).toBe('# mine\nDATABASE_URL=postgres://db\n');
    expect(await readFile(frontendFile, 'utf8')).toBe('');
    expect(await list()).toEqual([]);
  });

  test('creates no file if there was none', async () => {
    expect((await remove('openai')).status).toBe(204);
    expect(await readdir(directory)).not.toContain('.env');
  });
});

test('a save is refused and nothing is stored if the directory does not exist', async () => {
  await rm(directory, { recursive: true });
  const response = await save('openai', newProviderKey());
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({ code: 'env_file_refused' });
  expect(await list()).toEqual([]);
});
