import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';

/** Vercel's Hobby plan allows 12 functions in one deployment; an app needs room for its own. */
const MAX_FUNCTIONS = 6;

test('there are at most 6 functions', async () => {
  const files = await readdir('api', { recursive: true });
  expect(files.filter((file) => file.endsWith('.ts')).length).toBeLessThanOrEqual(MAX_FUNCTIONS);
});
