import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { describeEvent } from '../../cli/terminal/describe-event.ts';
import { watchSources } from '../../dev/host/watch-sources.ts';
import { onFreePort } from '../../dev/parts/on-free-port.ts';
import { createStopList } from '../../dev/parts/stop-list.ts';
import { inheritedEnvironment, readConfiguration } from '../../dev/settings/configuration.ts';
import { loadVaultKeys } from '../../dev/settings/vault-keys.ts';
import { writePrivateFile } from '../../dev/state/private-file.ts';
import { parseMasterKeys } from '../../lib/vault/master-keys.ts';
import { temporaryDirectory, writeFiles } from '../support/temporary-directory.ts';

/** How long something that is about to happen may take on a busy machine. */
const SOON = { timeout: 15_000 };

afterEach(() => {
  vi.unstubAllEnvs();
});

test('the environment comes before .env.local, and that before .env; empty counts as unset', async () => {
  const directory = await temporaryDirectory();
  await writeFiles(directory, {
    '.env': 'AUTH_ISSUER=from-env\nKV_REST_API_URL=from-env\nVAULT_KEYS=from-env\nALLOWED_ORIGINS=from-env\n',
    '.env.local': 'KV_REST_API_URL="from-local"\nVAULT_KEYS=from-local\nALLOWED_ORIGINS=\n',
  });
  vi.stubEnv('VAULT_KEYS', 'from-shell');
  expect(await readConfiguration(directory)).toMatchObject({
    AUTH_ISSUER: 'from-env',
    KV_REST_API_URL: 'from-local',
    VAULT_KEYS: 'from-shell',
    ALLOWED_ORIGINS: 'from-env',
  });
});

test('of the .env files only configuration is taken: no provider key, nothing else', async () => {
  const directory = await temporaryDirectory();
  await writeFiles(directory, {
    '.env':
      'OPENAI_API_KEY=sk\nHF_TOKEN=hf\nNODE_OPTIONS=--inspect\nOPENAI_BASE_URL=http://127.0.0.1:1\nPATH=/x\n',
  });
  expect(Object.keys(await readConfiguration(directory))).toEqual(['OPENAI_BASE_URL']);
});

test('no provider key of the developer’s shell reaches the functions, and no configuration but what is meant', () => {
  for (const name of ['OPENAI_API_KEY', 'GOOGLE_API_KEY', 'HF_TOKEN', 'ANTHROPIC_AUTH_TOKEN', 'CO_API_KEY']) {
    vi.stubEnv(name, 'a-key');
  }
  vi.stubEnv('KV_REST_API_URL', 'https://kv.example');
  vi.stubEnv('SOMETHING_ELSE', 'kept');
  const inherited = inheritedEnvironment();
  expect(Object.values(inherited)).not.toContain('a-key');
  expect(inherited.KV_REST_API_URL).toBeUndefined();
  expect(inherited.SOMETHING_ELSE).toBe('kept');
});

test('master keys are made once, well-formed, and kept', async () => {
  const path = join(await temporaryDirectory(), 'state/vault-keys');
  const made = await loadVaultKeys(path);
  expect(parseMasterKeys(made)).toHaveLength(1);
  expect(await loadVaultKeys(path)).toBe(made);
  await writeFile(path, '');
  await expect(loadVaultKeys(path)).rejects.toThrow('does not hold master keys');
});

test('a private file replaces a symlink, it does not follow it', async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'elsewhere'), 'untouched');
  await symlink(join(directory, 'elsewhere'), join(directory, 'secret'));
  await writePrivateFile(join(directory, 'secret'), 'written');
  expect(await readFile(join(directory, 'elsewhere'), 'utf8')).toBe('untouched');
  expect(await readFile(join(directory, 'secret'), 'utf8')).toBe('written');
});

test('a burst of changes is told once, and a file that appears later is noticed', async () => {
  const directory = await temporaryDirectory();
  await writeFiles(directory, { 'lib/deep/a.ts': '1' });
  let told = 0;
  const watcher = watchSources(
    {
      directories: [join(directory, 'lib'), join(directory, 'absent')],
      files: [{ directory, names: ['.env'] }],
    },
    () => {
      told += 1;
    },
  );
  try {
    await writeFiles(directory, { 'lib/deep/a.ts': '2', 'lib/deep/b.ts': '1', 'lib/c.ts': '1' });
    await expect.poll(() => told, SOON).toBe(1);
    await writeFiles(directory, { 'other.txt': '1', '.env': 'A=1' });
    await expect.poll(() => told, SOON).toBe(2);
  } finally {
    watcher.close();
  }
});

test('the next free port is taken for a taken one; any other failure is passed on', async () => {
  const taken = Object.assign(new Error('taken'), { code: 'EADDRINUSE' });
  const start = async (port: number) => {
    if (port < 3003) throw taken;
    return port;
  };
  expect(await onFreePort(3000, start)).toBe(3003);
  await expect(onFreePort(3000, () => Promise.reject(new Error('other')))).rejects.toThrow('other');
  await expect(onFreePort(0, () => Promise.reject(taken))).rejects.toThrow('taken');
});

test('everything is stopped, the last first, also when one of them fails', async () => {
  const stopped: string[] = [];
  const stops = createStopList();
  stops.add(() => void stopped.push('first'));
  stops.add(() => Promise.reject(new Error('no')));
  stops.add(() => void stopped.push('last'));
  await expect(stops.stopAll()).rejects.toThrow('Not everything stopped cleanly.');
  expect(stopped).toEqual(['last', 'first']);
});

test('a log line of the functions is told as text, and escape sequences in a path do nothing', () => {
  const line = JSON.stringify({ time: 'now', level: 'error', event: 'kv_failed', reason: 'timeout' });
  expect(describeEvent({ type: 'output', line })).toContain('kv_failed');
  expect(describeEvent({ type: 'output', line })).toContain('reason=timeout');
  const answered = {
    type: 'answered',
    method: 'GET',
    path: '/\u001b[2J',
    status: 200,
    durationMs: 1,
  } as const;
  expect(describeEvent(answered)).not.toContain('\u001b[2J');
});
