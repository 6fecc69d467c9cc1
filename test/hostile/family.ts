/** Defines the cases of one family of attacks, and counts them. */
import { afterAll, describe, expect, test } from 'vitest';

/** The fewest cases that each family must have. */
const MINIMUM_CASES = {
  tokens: 350,
  paths: 450,
  'denied-paths': 300,
  framing: 250,
  bodies: 200,
  'key-values': 150,
  store: 400,
  issuer: 80,
  provider: 150,
  modes: 200,
} as const;

export type Family = keyof typeof MINIMUM_CASES;

/** Returns a function that defines a group of cases: each is a test of its own. */
export function defineFamily(family: Family) {
  let cases = 0;
  afterAll(() => {
    process.stdout.write(`hostile ${family}: ${cases} cases\n`);
  });
  test(`${family} has at least ${MINIMUM_CASES[family]} cases`, () => {
    expect(cases).toBeGreaterThanOrEqual(MINIMUM_CASES[family]);
  });
  return function attack<Case>(
    group: string,
    list: readonly (readonly [name: string, attack: Case])[],
    run: (attack: Case, name: string, index: number) => Promise<void> | void,
  ): void {
    cases += list.length;
    describe(group, () => {
      for (const [index, [name, one]] of list.entries()) test(name, () => run(one, name, index));
    });
  };
}

/** A repeatable source of numbers from 0 up to `below` (mulberry32). */
export function seededNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A text as a title: control characters and anything long would make the report unreadable. */
export function titleOf(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
  const printable = text.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16)}`,
  );
  return printable.length <= 80 ? printable : `${printable.slice(0, 60)}… (${printable.length})`;
}
