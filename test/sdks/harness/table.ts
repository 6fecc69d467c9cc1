/** SDK × case, as the suite prints it and docs/sdks.md shows it. */
import { readFileSync } from 'node:fs';
import { CASES, type CaseName, type Sdk } from './sdk.ts';

export type Outcome = 'pass' | 'FAIL' | '-';

const TITLES: Readonly<Record<CaseName, string>> = {
  plain: 'plain',
  stream: 'stream',
  leave: 'leave',
  error: 'error',
  abort: 'abort',
  retry: 'retry',
  freshToken: 'fresh token',
  upload: 'upload',
  binary: 'binary',
  poll: 'poll',
  pages: 'pages',
};

export function installedVersion(name: string): string {
  const text = readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8');
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? '?';
}

/** The table, and below it why a case is missing. */
export function renderTable(sdks: readonly Sdk[], outcome: (sdk: Sdk, name: CaseName) => Outcome): string {
  const rows = [
    ['SDK', ...CASES.map((name) => TITLES[name])],
    ...sdks.map((sdk) => [
      `${sdk.name} ${installedVersion(sdk.package)}`,
      ...CASES.map((name) => outcome(sdk, name)),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map(
    (row) => `| ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' | ')} |`,
  );
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const reasons = sdks.flatMap((sdk) => {
    const missing = CASES.flatMap((name) => {
      const reason = sdk.lack(name);
      return reason === undefined ? [] : [`${TITLES[name]}: ${reason}`];
    });
    return missing.length === 0 ? [] : [`- ${sdk.name}: ${missing.join('; ')}.`];
  });
  return [
    lines[0],
    rule,
    ...lines.slice(1),
    '',
    'A dash means that the SDK does not support the case. The reasons:',
    '',
    ...reasons,
  ].join('\n');
}
