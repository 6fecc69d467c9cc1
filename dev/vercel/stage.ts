/**
 * The project as the Vercel CLI gets to see it: a directory of its own, since the CLI writes into `.vercel`,
 * deletes from it, asks the network when it finds a project linked there, and reads `.env`.
 */
import { constants, existsSync } from 'node:fs';
import {
  copyFile,
  cp,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { allowLocalIssuer, describeIssuer, ISSUER_METADATA_PATH } from '../host/issuer-metadata.ts';
import { isLoopback } from '../http/is-loopback.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export type Stage = {
  /** The project. */
  readonly project: string;
  /** An empty home for the CLI. */
  readonly home: string;
  /** Where a build may put its output. */
  readonly output: string;
  remove(): Promise<void>;
};

/**
 * For `vercel dev`: links to the sources, so that an edit is seen at once. Node loads them itself: the CLI would
 * compile every source for every call, which takes twice as long. Without build and scripts, which the
 * CLI would take for a reason to run a frontend, and with a page even when none has been built: without one it
 * would serve the sources. The page is a copy, since the CLI serves no links; beside it is the metadata by which
 * it finds its issuer, if that is on this machine.
 */
export async function stageLinks(options: { issuer?: string; page?: string } = {}): Promise<Stage> {
  const { issuer = '' } = options;
  const stage = await createStage();
  for (const name of ['lib', 'node_modules', 'tsconfig.json']) {
    await symlink(join(ROOT, name), join(stage.project, name));
  }
  await linkFunctions(stage);
  await derive(stage, 'package.json', { scripts: undefined });
  const members = { installCommand: undefined, buildCommand: undefined, outputDirectory: 'page' };
  const { outputDirectory } = await derive(stage, 'vercel.json', members, (text) =>
    allowLocalIssuer(text, issuer).replace('api/**/*.ts', 'api/**/*.mjs'),
  );
  const built = options.page ?? join(ROOT, String(outputDirectory));
  const page = join(stage.project, 'page');
  await mkdir(page);
  if (existsSync(join(built, 'index.html'))) await cp(built, page, { recursive: true });
  else await writePlaceholder(page);
  if (isLoopback(issuer)) await writeIssuerMetadata(page, issuer);
  return stage;
}

/**
 * For `vercel build`: a copy of everything that a deployment would upload, and `node_modules` as real files
 * (hard links where the file system has them), since the builder leaves out what lies elsewhere. Linked to no
 * project of anybody's.
 */
export async function stageCopy(): Promise<Stage> {
  const stage = await createStage();
  await cp(ROOT, stage.project, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => path === ROOT || isUploaded(basename(path)),
  });
  await linkTree(join(ROOT, 'node_modules'), join(stage.project, 'node_modules'));
  await derive(stage, 'vercel.json', { installCommand: '' });
  await mkdir(join(stage.project, '.vercel'));
  const link = { projectId: 'prj_local', orgId: 'team_local', settings: {} };
  await writeFile(join(stage.project, '.vercel/project.json'), JSON.stringify(link));
  return stage;
}

async function createStage(): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'userkeys-vercel-'));
  const stage = {
    project: join(directory, 'userkeys'),
    home: join(directory, 'home'),
    output: join(directory, 'output'),
    remove: () => rm(directory, { recursive: true, force: true, maxRetries: 3 }),
  };
  await mkdir(stage.project);
  await mkdir(stage.home);
  return stage;
}

/** Under a name that the CLI does not compile. It reads there which methods a function has, and Node loads the source. */
async function linkFunctions(stage: Stage): Promise<void> {
  await mkdir(join(stage.project, 'api'));
  for (const file of await readdir(join(ROOT, 'api'))) {
    await symlink(join(ROOT, 'api', file), join(stage.project, 'api', `${basename(file, '.ts')}.mjs`));
  }
}

async function writeIssuerMetadata(page: string, issuer: string): Promise<void> {
  const file = join(page, ISSUER_METADATA_PATH);
  await mkdir(dirname(file));
  await writeFile(file, JSON.stringify(describeIssuer(issuer)));
}

async function writePlaceholder(directory: string): Promise<void> {
  await writeFile(
    join(directory, 'index.html'),
    '<!doctype html><title>userkeys</title>The page is not built.\n',
  );
}

const JsonObject = z.record(z.string(), z.unknown());

/**
 * Writes one of the project's JSON files with some members replaced, or left out where undefined, and gives the
 * former content. `change` gets the text that is to be written.
 */
async function derive(
  stage: Stage,
  file: string,
  members: Readonly<Record<string, string | undefined>>,
  change = (text: string) => text,
) {
  const content = JsonObject.parse(JSON.parse(await readFile(join(ROOT, file), 'utf8')));
  const text = JSON.stringify({ ...content, ...members }, undefined, 2);
  await writeFile(join(stage.project, file), change(text));
  return content;
}

const NOT_UPLOADED = new Set(['.git', '.vercel', '.userkeys', 'node_modules', 'dist', 'coverage']);

function isUploaded(name: string): boolean {
  return !NOT_UPLOADED.has(name) && !name.startsWith('.env');
}

/** What tools keep in node_modules, and may change or delete while the tree is linked. */
const TOOL_CACHES = new Set(['.cache', '.vite', '.vite-temp', '.vitest-cache']);

async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (TOOL_CACHES.has(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else if (entry.isSymbolicLink()) await cp(source, target, { verbatimSymlinks: true });
    else await link(source, target).catch(() => copyFile(source, target, constants.COPYFILE_FICLONE));
  }
}
