/**
 * docs/sdks.md and docs/copilotkit.md show what the suite runs, to the letter. After a change, `npx vitest run
 * --config test/sdks/vitest.config.ts page -u` writes it into the pages.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderTable } from './harness/table.ts';
import { sdks } from './sdks.ts';

const docs = new URL('../../docs/', import.meta.url);
const read = (path: string, base: URL) => readFileSync(new URL(path, base), 'utf8');

/** The lines a reader copies: the imports, and the function's body but for what it returns. */
function linesOf(snippet: string): string {
  const source = read(`./snippets/${snippet}.ts`, new URL(import.meta.url));
  const [, imports = '', body = ''] =
    /^([\s\S]*?)\nexport async function \w+\([^)]*\) \{\n([\s\S]*)\n {2}return .*\n\}\n$/.exec(source) ?? [];
  return [...imports.split('\n'), ...body.split('\n').map((line) => line.replace(/^ {2}/, ''))]
    .filter((line) => line !== '' && !line.includes('harness/stage.ts'))
    .join('\n')
    .replace("'anthropic-sdk-0'", "'@anthropic-ai/sdk'");
}

const fence = (text: string) => `\`\`\`ts\n${text.trimEnd()}\n\`\`\``;

test('docs/sdks.md has every snippet and the table', async () => {
  const page = read('sdks.md', docs);
  const shown = [...page.matchAll(/<!-- snippet: (\S+) -->/g)].map(([, name]) => name);
  const files = readdirSync(new URL('./snippets/', import.meta.url)).map((name) => name.replace('.ts', ''));
  expect(shown.toSorted()).toEqual(files.toSorted());
  const table = renderTable(sdks, (sdk, name) => (sdk.lack(name) === undefined ? 'pass' : '-'));
  const current = page
    .replace(
      /(<!-- snippet: (\S+) -->\n)```ts\n[\s\S]*?```/g,
      (_all, mark: string, name: string) => mark + fence(linesOf(name)),
    )
    .replace(/(<!-- table -->\n)[\s\S]*?(?=<!-- \/table -->)/, (_all, mark: string) => `${mark}${table}\n\n`);
  await expect(current).toMatchFileSnapshot(new URL('sdks.md', docs).pathname);
});

test('docs/copilotkit.md has the example', async () => {
  const page = read('copilotkit.md', docs);
  const current = page.replace(
    /(<!-- example: (\S+) -->\n)```ts\n[\s\S]*?```/g,
    (_all, mark: string, name: string) => mark + fence(read(`examples/${name}`, docs)),
  );
  await expect(current).toMatchFileSnapshot(new URL('copilotkit.md', docs).pathname);
});
