/** Builds the page once for all suites that open it. */
import type { TestProject } from 'vitest/node';
import { buildPage } from './build-page.ts';

declare module 'vitest' {
  interface ProvidedContext {
    pageDirectory: string;
  }
}

export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const page = await buildPage();
  provide('pageDirectory', page.directory);
  return page.remove;
}
