import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const HEADER = '| attacker | what they try | defence | test |';
/** A file or folder, and after a file the title of one of its tests. */
const NAMED_TEST = /`(test\/[^`]+)`(?: "([^"]+)")?/g;

const lines = readFileSync('docs/threat-model.md', 'utf8').split('\n');
const rows = lines.filter((line) => line.startsWith('|') && line !== HEADER && !line.startsWith('|---'));

describe('docs/threat-model.md', () => {
  test('has tables of attackers only', () => {
    expect(rows.length).toBeGreaterThan(30);
    for (const [index, line] of lines.entries()) {
      if (line.startsWith('|---')) expect(lines[index - 1]).toBe(HEADER);
    }
  });

  test.each(rows)('names a test that exists: %s', (row) => {
    const cells = row.split(' | ');
    expect(cells).toHaveLength(4);
    const named = [...(cells[3] ?? '').matchAll(NAMED_TEST)];
    expect(named.length).toBeGreaterThan(0);
    // What is left is punctuation: nothing is named in another form, which would not be checked.
    expect((cells[3] ?? '').replace(NAMED_TEST, '')).toMatch(/^[\s,|]*$/);
    for (const [, path = '', title] of named) {
      expect(existsSync(path), path).toBe(true);
      if (statSync(path).isFile()) expect(path).toMatch(/\.test\.ts$/);
      if (title !== undefined) expect(readFileSync(path, 'utf8')).toContain(title);
    }
  });
});

test('SECURITY.md says how to report a vulnerability, and names no address of a person', () => {
  const text = readFileSync('SECURITY.md', 'utf8');
  expect(text).toContain('Report a vulnerability');
  expect(text).not.toMatch(/\S@\S/);
  for (const [, path = ''] of text.matchAll(/\]\((docs\/[^)#]+)/g)) expect(existsSync(path), path).toBe(true);
});
