import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { runCommand } from '../support/command.ts';
import { newProviderKey } from '../support/start-world.ts';
import { temporaryDirectory, writeFiles } from '../support/temporary-directory.ts';

vi.setConfig({ testTimeout: 90_000 });

/** What a key of the demo and a token look like. */
const KEY = /demo-\w+-[0-9a-f]{8}/;
const TOKEN = /eyJ[\w-]+\./;
const hasShell = spawnSync('bash', ['-c', 'command -v curl']).status === 0;

test('demo --once tells that each call was paid by its own caller’s key, and exits with 0, leaving nothing', async () => {
  const directory = await temporaryDirectory();
  const command = runCommand(['demo', '--once', '--port', '0'], directory);
  expect(await command.exited).toBe(0);
  const output = command.output();
  for (const user of ['alice', 'bob']) {
    for (const way of [
      'generate +openai',
      'generate +gemini',
      'gateway +openai',
      'gateway, streamed +openai',
      'search +exa',
    ]) {
      expect(output).toMatch(new RegExp(`${user} +${way} +3 +…[0-9a-f]{4} +${user}’s ✓`));
    }
  }
  expect(output).toContain('every call was paid once');
  expect(output).toMatch(/bob has no Anthropic key: 403 key_missing/);
  expect(output).toMatch(/process\.env of the functions never held a key: looked at \d+ times/);
  expect(output).not.toContain('✗');
  expect(output).not.toMatch(KEY);
  expect(output).not.toMatch(TOKEN);
  expect(existsSync(join(directory, '.userkeys'))).toBe(false);
  await command.nothingLeft();
});

test('Ctrl-C before the scenario is complete stops the demo with exit code 130', async () => {
  const command = runCommand(['demo', '--once', '--port', '0'], await temporaryDirectory());
  await command.printed(/userkeys demo/);
  command.signal('SIGINT', 'everything');
  expect(await command.exited).toBe(130);
  expect(command.output()).not.toContain('every call was paid');
  await command.nothingLeft();
});

test('nothing the developer has configured gets onto the demo’s stage', async () => {
  const directory = await temporaryDirectory();
  const own = {
    KV_REST_API_URL: 'https://kv.example',
    AUTH_ISSUER: 'https://issuer.example',
    AUTH_AUDIENCE: 'somebody-else',
    OPENAI_BASE_URL: 'https://openai.example',
    OPENAI_API_KEY: newProviderKey(),
  };
  const lines = Object.entries(own).map(([name, value]) => `${name}=${value}\n`);
  await writeFiles(directory, { '.env': lines.join('') });
  const command = runCommand(['demo', '--once', '--port', '0'], directory, own);
  expect(await command.exited).toBe(0);
});

test.skipIf(!hasShell)('it stays up, and every command it prints works when it is pasted', async () => {
  const command = runCommand(['demo', '--port', '0'], await temporaryDirectory());
  await command.printed(/Ctrl-C ends the demo/);
  const { stdout } = await promisify(execFile)('bash', ['-c', `set -e\n${command.commands().join('\n')}`]);
  const [keys, answer, refused, missing] = stdout.trim().split('\n');
  expect(keys).toContain('"provider":"anthropic"');
  expect(answer).toContain('Hello from the emulated openai.');
  expect(refused).toContain('"code":"key_rejected"');
  expect(missing).toContain('"code":"key_missing"');
  await command.printed(/openai was paid with alice’s key …[0-9a-f]{4}/);
  expect(command.output() + stdout).not.toMatch(KEY);
  expect(command.output() + stdout).not.toMatch(TOKEN);
  command.signal('SIGINT', 'everything');
  expect(await command.exited).toBe(0);
  await command.nothingLeft();
});
