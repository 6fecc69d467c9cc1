import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { problemTable } from '../../lib/errors.ts';

test('docs/errors.md lists every code with its status and title, and no other', () => {
  const rows = [
    ...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `([a-z_]+)` \| (\d{3}) \| ([^|]+) \|/gm),
  ];
  const listed = rows.map(([, code, status, title]) => [code, Number(status), title?.trim()]);
  const table = Object.entries(problemTable).map(([code, [status, title]]) => [code, status, title]);
  expect(listed).toEqual(table);
});
