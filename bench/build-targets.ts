/**
 * The programs of the targets as JavaScript, so that the time in which Node strips types is no part of a measurement.
 * Packages stay where they are, in node_modules.
 */
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const FOLDER = fileURLToPath(new URL('dist/', import.meta.url));

/** The path of each built program. */
export async function buildTargets<Name extends string>(
  names: readonly Name[],
): Promise<Record<Name, string>> {
  await build({
    configFile: false,
    logLevel: 'error',
    ssr: { external: true },
    build: {
      ssr: true,
      outDir: FOLDER,
      emptyOutDir: true,
      target: 'node22',
      rollupOptions: {
        input: Object.fromEntries(
          names.map((name) => [name, fileURLToPath(new URL(`targets/${name}.ts`, import.meta.url))]),
        ),
        output: { entryFileNames: '[name].js' },
      },
    },
  });
  return Object.fromEntries(names.map((name) => [name, `${FOLDER}${name}.js`])) as Record<Name, string>;
}
