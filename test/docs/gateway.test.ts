/** After a change of the catalogue, `npx vitest run test/docs/gateway.test.ts -u` writes the table into the page. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { catalogue } from '../../lib/providers/catalogue.ts';

test('docs/gateway.md lists the denied paths of every provider, with their sources', async () => {
  const rows = catalogue.map(({ name, denied }) => {
    const paths = denied.paths.map((path) => `\`${path}\``).join(', ') || 'none known';
    const sources = denied.sources.map((source, index) => `[${index + 1}](${source})`).join(', ');
    return `| ${name} | ${paths} | ${sources} |`;
  });
  const table = ['| provider | denied paths | sources |', '|---|---|---|', ...rows].join('\n');
  const current = readFileSync('docs/gateway.md', 'utf8').replace(
    /(<!-- denied -->\n)[\s\S]*?(?=<!-- \/denied -->)/,
    (_all, mark: string) => `${mark}${table}\n`,
  );
  await expect(current).toMatchFileSnapshot(`${process.cwd()}/docs/gateway.md`);
});
