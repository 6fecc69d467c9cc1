import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      integrity: z.string().optional(),
      resolved: z.string().optional(),
      optionalDependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

const LOCK_FILES = [
  'package-lock.json',
  'test/sdks/package-lock.json',
  'test/web/copilotkit/package-lock.json',
  'dev/vercel/cli/package-lock.json',
];

/** The folders in which Node looks for a package that the package at `path` needs. */
function lookups(path: string, name: string): readonly string[] {
  const parts = `/${path}`.split('/node_modules/');
  return parts.map((_, index) =>
    [...parts.slice(1, parts.length - index), name].map((part) => `node_modules/${part}`).join('/'),
  );
}

describe.each(LOCK_FILES)('%s', (file) => {
  const { packages } = lockFile.parse(JSON.parse(readFileSync(file, 'utf8')));

  test('has the optional packages of every platform, so that `npm ci` works on each', () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !lookups(path, name).some((place) => place in packages),
      ),
    );
    expect(missing).toEqual([]);
  });

  test('has the checksum of every package, and says of none where it was downloaded', () => {
    const entries = Object.entries(packages).filter(([path]) => path !== '');
    expect(entries.filter(([, { integrity }]) => integrity === undefined)).toEqual([]);
    expect(entries.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });
});

test('CI and Vercel install exactly what the lock file says', () => {
  expect(readFileSync('.ci/run', 'utf8')).toMatch(/^npm ci /m);
  expect(readFileSync('.ci/run', 'utf8')).not.toContain('npm install');
  expect(JSON.parse(readFileSync('vercel.json', 'utf8')).installCommand).toMatch(/^npm ci /);
});
