/** The JavaScript and TypeScript files of a project, without what git ignores. */
import { execFileSync } from 'node:child_process';
import { globSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const SOURCE = /\.[cm]?[jt]sx?$/;
const DECLARATIONS = /\.d\.[cm]?ts$/;
const LEFT_OUT = /(^|\/)(node_modules|\.git|\.next|\.vercel|dist|build)\//;

/**
 * Paths relative to the working directory, sorted.
 *
 * @throws the file system's error for a path that is not there.
 */
export function listSourceFiles(path: string): readonly string[] {
  if (statSync(path).isFile()) return [path];
  const files = trackedFiles(path) ?? globSync('**/*', { cwd: path });
  return files
    .filter((file) => SOURCE.test(file) && !DECLARATIONS.test(file) && !LEFT_OUT.test(file))
    .map((file) => relative('', join(path, file)))
    .sort();
}

/** What git tracks there or would; undefined outside of a repository. */
function trackedFiles(directory: string): readonly string[] | undefined {
  try {
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 256 * 1024 * 1024,
    });
    const files = listed.toString().split('\0').filter(Boolean);
    return files.length > 0 ? [...new Set(files)] : undefined;
  } catch {
    return undefined;
  }
}
