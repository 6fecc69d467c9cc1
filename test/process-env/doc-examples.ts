import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

const root = join(import.meta.dirname, '../..');
const EXAMPLE = /^```ts name=(\S+)\n(.*?)^```$/gms;

const exampleModule = z.looseObject({
  POST: z.custom<(request: Request) => Promise<Response>>((value) => typeof value === 'function').optional(),
  listening: z.custom<() => Promise<unknown>>((value) => typeof value === 'function').optional(),
  waiting: z.custom<() => number>((value) => typeof value === 'function').optional(),
  default: z
    .custom<(request: unknown, response: unknown) => unknown>((value) => typeof value === 'function')
    .optional(),
});
export type ExampleModule = z.infer<typeof exampleModule>;

/** The named TypeScript examples of a document, written as modules next to `lib/`. */
export function readExamples(document: string) {
  const text = readFileSync(join(root, document), 'utf8');
  const examples = new Map(Array.from(text.matchAll(EXAMPLE), ([, name = '', code = '']) => [name, code]));
  const fences = text.match(/^```ts/gm)?.length;
  if (fences !== examples.size) throw new Error('Every TypeScript example needs a name of its own.');

  const directory = mkdtempSync(join(tmpdir(), 'doc-examples-'));
  for (const shared of ['lib', 'node_modules']) symlinkSync(join(root, shared), join(directory, shared));
  cpSync(join(root, 'package.json'), join(directory, 'package.json'));
  mkdirSync(join(directory, 'api'));
  for (const [name, code] of examples) writeFileSync(join(directory, `api/${name}.ts`), code);

  return {
    names: [...examples.keys()],
    sourceOf: (name: string): string => examples.get(name) ?? '',
    load: async (name: string): Promise<ExampleModule> =>
      exampleModule.parse({ ...(await import(join(directory, `api/${name}.ts`))) }),
    remove: () => rmSync(directory, { recursive: true }),
  };
}
