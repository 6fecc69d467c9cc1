/** The Vercel CLI: where it is installed, and the environment it runs in. Nothing of it is global. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const DIRECTORY = fileURLToPath(new URL('cli/', import.meta.url));
const MODULES = join(DIRECTORY, 'node_modules');
const VERSION_FILE = 'vercel/package.json';

/**
 * The CLI's script, to be run with Node. Installs it the first time, and again when the pinned version has
 * changed; that needs the npm registry, and is announced through `onLog`. The installation is
 * made beside its place and then moved there, so that a half-finished one is never used.
 */
export async function vercelCli(onLog: (line: string) => void = () => {}): Promise<string> {
  if (!(await isInstalled())) {
    onLog('Installing the Vercel CLI into dev/vercel/cli (once; about 200 MB) …');
    await install();
    onLog('The Vercel CLI is installed.');
  }
  return join(MODULES, 'vercel/dist/vc.js');
}

/**
 * A minimal environment: a home of its own, so that no login, setting or cache of the developer's is found or
 * written, and none of the developer's variables.
 */
export function cliEnvironment(home: string): Record<string, string> {
  return {
    PATH: [dirname(process.execPath), process.env.PATH ?? ''].join(delimiter),
    HOME: home,
    XDG_CACHE_HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_DATA_HOME: home,
    CI: '1',
    NO_COLOR: '1',
    NO_UPDATE_NOTIFIER: '1',
    VERCEL_CLI_USE_NATIVE_BINARY: '0',
    VERCEL_TELEMETRY_DISABLED: '1',
  };
}

async function isInstalled(): Promise<boolean> {
  const [installed, pinned] = await Promise.all([
    versionIn(join(MODULES, VERSION_FILE), /"version": "([^"]+)"/),
    versionIn(join(DIRECTORY, 'package.json'), /"vercel": "([^"]+)"/),
  ]);
  return installed !== undefined && installed === pinned;
}

async function versionIn(file: string, pattern: RegExp): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return pattern.exec(text)?.[1];
}

async function install(): Promise<void> {
  const draft = await mkdtemp(join(DIRECTORY, '.install-'));
  try {
    for (const file of ['package.json', 'package-lock.json']) {
      await cp(join(DIRECTORY, file), join(draft, file));
    }
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund'];
    await promisify(execFile)('npm', ['ci', ...flags], { cwd: draft });
    await put(join(draft, 'node_modules'));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Puts a finished installation in place. Where two processes installed at once, the first one's stays. */
async function put(modules: string): Promise<void> {
  if (await isInstalled()) return;
  await rm(MODULES, { recursive: true, force: true });
  await rename(modules, MODULES).catch(async (error: unknown) => {
    if (!(await isInstalled())) throw error;
  });
}
