import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { temporaryDirectory, writeFiles } from '../../support/temporary-directory.ts';

const cli = join(import.meta.dirname, '../../../cli/userkeys.ts');

async function scan(cwd: string, ...args: readonly string[]) {
  const child = execFile(process.execPath, [cli, 'legacy-scan', ...args], { cwd });
  const output = Promise.all([child.stdout, child.stderr].map((stream) => (stream ? text(stream) : '')));
  const [code] = await once(child, 'close');
  return { code, output: (await output).join('') };
}

const PROJECT = {
  'api/chat.ts': `export const GET = () => new Response(process.env.OPENAI_API_KEY);\n`,
  'api/search.mjs': `import Exa from 'exa-js';\nconst exa = new Exa();\n`,
  'lib/fine.ts': `export const port = process.env.PORT;\n`,
  'lib/types.d.ts': `declare const x: typeof process.env.OPENAI_API_KEY;\n`,
  'node_modules/openai/index.js': `process.env.OPENAI_API_KEY;\n`,
  'dist/chat.js': `process.env.OPENAI_API_KEY;\n`,
  'broken.js': `const const\n`,
};

it('lists each place, counts them, and names what it could not parse', async () => {
  const directory = await temporaryDirectory();
  await writeFiles(directory, PROJECT);
  const { code, output } = await scan(directory);
  expect(code).toBe(0);
  expect(output).toContain('api/chat.ts:1:39  reads a provider’s variable OPENAI_API_KEY');
  expect(output).toContain('api/search.mjs:2:13  builds an SDK client while the module loads exa-js');
  expect(output).toMatch(/in 4 files +2/);
  expect(output).toContain('broken.js could not be parsed');
  expect(output).not.toMatch(/node_modules|dist|types\.d/);
});

it('gives JSON, takes paths, and fails when asked to', async () => {
  const directory = await temporaryDirectory();
  await writeFiles(directory, PROJECT);
  const { code, output } = await scan(directory, '--json', '--fail', 'api');
  expect(code).toBe(1);
  expect(JSON.parse(output)).toEqual({
    files: 2,
    unreadable: [],
    findings: [
      { file: 'api/chat.ts', line: 1, column: 39, kind: 'read', what: 'OPENAI_API_KEY' },
      { file: 'api/search.mjs', line: 2, column: 13, kind: 'client-at-load', what: 'exa-js' },
    ],
  });
  const fine = await scan(directory, '--fail', 'lib/fine.ts');
  expect(fine).toEqual({
    code: 0,
    output: expect.stringContaining('Nothing in 1 files reads a provider’s key'),
  });
  expect((await scan(directory, 'nowhere')).code).toBe(2);
  expect((await scan(directory, '--unknown')).code).toBe(2);
});
