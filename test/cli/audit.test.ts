import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { call } from '../support/call.ts';
import { newMasterKey, newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const CLI = resolve(import.meta.dirname, '../../cli/userkeys.ts');
let world: World;
const sub = 'looked-into';

beforeAll(async () => {
  world = await startWorld();
  const key = await import('../../api/userkeys.ts');
  const audit = await import('../../api/userkeys.ts');
  const token = await world.tokenFor(sub);
  await call(key, '/api/keys/openai', { method: 'PUT', token, json: { key: newProviderKey() } });
  await vi.waitFor(async () =>
    expect((await (await call(audit, '/api/audit', { token })).json()).entries).toHaveLength(1),
  );
  // Another master key comes first: the stored record is rotated, which its owner's log tells.
  const { rotationStep } = await import('../../lib/rotation/rotation.ts');
  const { composeApp } = await import('../../lib/compose.ts');
  const { loadConfig } = await import('../../lib/config.ts');
  const { createUndiciSend } = await import('../../lib/outgoing/undici-send.ts');
  const env = { ...world.env, VAULT_KEYS: `${newMasterKey()},${world.env.VAULT_KEYS}` };
  const { kv, ring, clock, config } = composeApp(loadConfig(env), {
    send: createUndiciSend(),
    after: () => {},
  });
  const step = await rotationStep(
    { kv, ring: await ring(), clock, auditBounds: config.audit },
    { maxMs: 10_000, maxUsers: 1000 },
  );
  expect(step.outcome).toBe('finished');
});
afterAll(() => world.close());

/** As `npm run audit -- …` does it, in a directory without settings. */
async function audit(...args: readonly string[]): Promise<{ code: number; text: string }> {
  const options = { cwd: await temporaryDirectory(), env: { PATH: process.env.PATH, ...world.env } };
  const run = promisify(execFile)(process.execPath, [CLI, 'audit', ...args], options);
  return run.then(
    ({ stdout }) => ({ code: 0, text: stripVTControlCharacters(stdout) }),
    (error: { code: number; stdout: string }) => ({ code: error.code, text: error.stdout }),
  );
}

test('npm run audit shows a user’s log, newest first, rotations too', async () => {
  const { code, text } = await audit('--user', sub);
  expect(code).toBe(0);
  const lines = text.trim().split('\n');
  expect(lines[0]).toMatch(/time +action +route +provider +outcome/);
  expect(lines[1]).toMatch(/rotate +openai +ok/);
  expect(lines[2]).toMatch(/save +openai +ok +201/);
  expect(lines).toHaveLength(3);
});

test('as JSON it is one entry a line, as many as asked for', async () => {
  const { text } = await audit('--user', sub, '--json', '--last', '1');
  expect(
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([{ action: 'rotate' }]);
});

test('a user without a log has an empty one, and no user is a mistake', async () => {
  expect((await audit('--user', 'nobody')).text).toContain('This log is empty.');
  for (const args of [[], ['--user', ''], ['--user', sub, '--last', '0'], ['--all']]) {
    expect((await audit(...args)).code).toBe(2);
  }
});
