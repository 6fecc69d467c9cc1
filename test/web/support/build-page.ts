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
 * The page as it is deployed, in a directory of its own: what is in `web/dist` is the developer's. Built by a
 * process of its own, since in a test's environment the bundler takes the libraries' development versions.
 * `source` is another directory with an `index.html`.
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
