/** What docs/legacy.md says the scan finds, it finds. */
import { afterAll, expect, it } from 'vitest';
import { scanSource } from '../../../cli/legacy-scan/scan-source.ts';
import { readExamples } from '../../process-env/doc-examples.ts';

const examples = readExamples('docs/legacy.md');
afterAll(() => examples.remove());

it.each([
  ['client-at-load-unsafe', ['client-at-load']],
  ['client-kept-unsafe', ['client-kept']],
  ['read-at-load-unsafe', ['read-at-load']],
  ['driver-unsafe', ['driver', 'read']],
  ['driver-safe', ['read']],
  ['pool-queue-unsafe', ['driver', 'read']],
  ['emitter-unsafe', ['emitter', 'read']],
  ['memoised-unsafe', ['read']],
  ['queue-unsafe', ['read']],
  ['wrap-node', ['read']],
  ['phase-2', ['read']],
  ['phase-3', []],
  ['memoised-safe', []],
  ['stream-safe', []],
])('%s', (name, expected) => {
  const found = scanSource(`${name}.ts`, examples.sourceOf(name));
  expect(found?.map(({ kind }) => kind)).toEqual(expected);
});
