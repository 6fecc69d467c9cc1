import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** The suites start many processes that load the same modules; compiling those takes most of their time. */
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'userkeys-compile-cache');

/** Packages, and suites that are run by a command of their own. */
const ELSEWHERE = ['**/node_modules/**', 'test/sdks/**'];

/** What tries to break the service: `npm run test:attacks`. */
const ATTACKS = ['test/hostile/**/*.test.ts', 'test/chaos/**/*.test.ts'];

/** Suites that change what a process has only once, as `process.env`. Each has a process of its own. */
const ALONE = ['test/process-env/**/*.test.ts', 'test/telemetry/**/*.test.ts', 'test/secrets/**/*.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'functions',
          include: ['test/**/*.test.ts'],
          exclude: [...ELSEWHERE, ...ATTACKS, ...ALONE, 'test/web/**'],
          // Starting a process and loading the packages takes longer than most suites run.
          isolate: false,
          setupFiles: 'test/support/share-process.ts',
        },
      },
      { extends: true, test: { name: 'alone', include: ALONE } },
      {
        extends: true,
        test: {
          name: 'page',
          include: ['test/web/**/*.test.ts'],
          exclude: ELSEWHERE,
          globalSetup: 'test/web/support/built-page.ts',
        },
      },
      { extends: true, test: { name: 'attacks', include: ATTACKS, exclude: ELSEWHERE } },
    ],
    // Three times what the slowest test takes on two cores that others use too. Nothing here tests how fast something is.
    testTimeout: 60_000,
    // Waiting ends when the condition holds; the default of a second is short for a busy machine.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 120_000,
    // Suites start servers and processes of their own. More files at once make them miss their deadlines on two cores.
    maxWorkers: 2,
    // Looking at the default export of @vercel/kv, which nothing here uses, makes it print a warning.
    deps: { interopDefault: false },
  },
});
