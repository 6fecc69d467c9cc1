import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * Replaces the sources in a staged project by one bundle with an entry for each function. `vercel dev` starts a process
 * for every call, and a process loads a bundle in half the time. test/vercel/dev.test.ts runs the sources themselves.
 */
export async function bundleFunctions(project: string): Promise<void> {
  const names = (await readdir(join(ROOT, 'api'))).map((file) => basename(file, '.ts'));
  await build({
    root: ROOT,
    configFile: false,
    mode: 'production',
    logLevel: 'error',
    ssr: { noExternal: true },
    build: {
      ssr: true,
      outDir: join(project, 'bundle'),
      emptyOutDir: false,
      rollupOptions: {
        input: names.map((name) => join(ROOT, `api/${name}.ts`)),
        output: { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' },
      },
    },
  });
  await Promise.all(['api', 'lib', 'node_modules', 'tsconfig.json'].map((name) => rm(join(project, name))));
  await mkdir(join(project, 'api'));
  for (const name of names) {
    await writeFile(join(project, `api/${name}.mjs`), `export * from '../bundle/${name}.mjs';\n`);
  }
  const config = join(project, 'vercel.json');
  await writeFile(config, (await readFile(config, 'utf8')).replace('api/**/*.ts', 'api/**/*.mjs'));
}
