import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/sdks/**'],
    testTimeout: 30_000,
    // Waiting ends when the condition holds; the default of a second is short for a busy machine.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 60_000,
    // Suites start servers and processes of their own; more files at once only make them wait for each other.
    maxWorkers: 2,
    // Looking at the default export of @vercel/kv, which nothing here uses, makes it print a warning.
    deps: { interopDefault: false },
  },
});
