import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonSize } from '../../lib/json-size.ts';

function sizeOf(value: unknown): { readonly values: number; readonly depth: number } {
  if (typeof value !== 'object' || value === null) return { values: 1, depth: 0 };
  const members = Object.values(value).map(sizeOf);
  return {
    values: members.reduce((total, { values }) => total + values, 1),
    depth: 1 + Math.max(0, ...members.map(({ depth }) => depth)),
  };
}

const indents = fc.constantFrom(0, 1, 3);

test('counts values and levels of any JSON, in pieces of any size', () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 5 }),
      indents,
      fc.integer({ min: 1, max: 9 }),
      (value, indent, piece) => {
        const bytes = new TextEncoder().encode(JSON.stringify(value, null, indent));
        const size = new JsonSize();
        for (let at = 0; at < bytes.length; at += piece) size.feed(bytes.subarray(at, at + piece));
        expect({ values: size.values, depth: size.depth }).toEqual(sizeOf(JSON.parse(JSON.stringify(value))));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('finds the last whole element of an array, also if the array is cut off', () => {
  const element = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }));
  fc.assert(
    fc.property(fc.array(element, { minLength: 1, maxLength: 4 }), fc.nat(20), (elements, cut) => {
      const last = JSON.stringify(elements.at(-1));
      const text = JSON.stringify(elements);
      const bytes = new TextEncoder().encode(`${text.slice(0, -1)}${',{"a":[{"b":"}]'.slice(0, cut)}`);
      const { elementStart, elementEnd } = new JsonSize().feed(bytes);
      expect(new TextDecoder().decode(bytes.subarray(elementStart, elementEnd))).toBe(last);
    }),
  );
});

test('counts what a parser reads of a text that is not JSON', () => {
  expect(new JsonSize().feed(new TextEncoder().encode('['.repeat(1_000))).depth).toBe(1_000);
  expect(new JsonSize().feed(new TextEncoder().encode('"\n[[[')).depth).toBe(3);
});
