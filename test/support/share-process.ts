/** Lets suites share a process and its packages. Each suite has its own instances of this project's modules, and the same variables. */
import { afterAll, vi } from 'vitest';

vi.resetModules();

const before = { ...process.env };
afterAll(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
});
