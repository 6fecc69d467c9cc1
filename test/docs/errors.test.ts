import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { problemTable, reasons } from '../../lib/errors.ts';

test('docs/errors.md lists every code with its status, title and detail, and no other', () => {
  const rows = [
    ...readFileSync('docs/errors.md', 'utf8').matchAll(
      /^\| `([a-z_]+)` \| (\d{3}) \| ([^|]+) \| ([^|]+) \|$/gm,
    ),
  ];
  const listed = rows.map(([, code, status, title, detail]) => [
    code,
    Number(status),
    title?.trim(),
    detail?.trim(),
  ]);
  const table = Object.entries(problemTable).map(([code, [status, title, detail]]) => [
    code,
    status,
    title,
    detail,
  ]);
  expect(listed).toEqual(table);
});

test('docs/errors.md lists every reason of the log by its code, and no other', () => {
  const [, section = ''] = readFileSync('docs/errors.md', 'utf8').split('## Reasons in the log');
  const rows = [...section.matchAll(/^\| `([a-z_]+)` \| ([^|]+) \|$/gm)];
  const listed = rows.map(([, code, list = '']) => [code, list.trim().split(', ')]);
  const table = Object.entries(reasons).map(([code, list]) => [code, list.map((reason) => `\`${reason}\``)]);
  expect(listed).toEqual(table);
});
