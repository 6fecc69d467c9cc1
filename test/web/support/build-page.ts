import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const VITE = join(ROOT, 'node_modules/vite/bin/vite.js');

export type BuiltPage = { readonly directory: string; remove(): Promise<void> };

/**
 * Builds the page for production into a temporary directory, because `web/dist` belongs to the developer. The build
 * runs in a separate process without NODE_ENV: with `NODE_ENV=test` Vite would bundle development versions of the
 * libraries. `source` is the directory with the `index.html`.
 */
export async function buildPage(source = 'web'): Promise<BuiltPage> {
  const directory = await mkdtemp(join(tmpdir(), 'userkeys-page-'));
  const { NODE_ENV: _, ...env } = process.env;
  await promisify(execFile)(
    process.execPath,
    [VITE, 'build', source, '--outDir', directory, '--logLevel', 'error'],
    {
      cwd: ROOT,
      env,
    },
  );
  return { directory, remove: () => rm(directory, { recursive: true, force: true }) };
}
