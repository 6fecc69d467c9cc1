import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';

/** What Vercel's Hobby plan takes in one deployment. */
const MOST_FUNCTIONS = 12;

test('there are no more functions than the Hobby plan takes', async () => {
  const files = await readdir('api', { recursive: true });
  expect(files.filter((file) => file.endsWith('.ts')).length).toBeLessThanOrEqual(MOST_FUNCTIONS);
});
