import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const SOAK = resolve(import.meta.dirname, '../../bench/soak.ts');

test('mixed calls of many users in one process: no wrong key, no lost save, flat memory', {
  timeout: 300_000,
}, async () => {
  const args = [SOAK, '--calls', '2000', '--users', '50'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout).toMatch(/^2000 calls in /m);
  expect(stdout).toMatch(/^0 violations$/m);
});
