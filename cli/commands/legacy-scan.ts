import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { EXIT } from '../exit-codes.ts';
import { type Finding, KINDS, type Kind } from '../legacy-scan/finding.ts';
import { scanSource } from '../legacy-scan/scan-source.ts';
import { print, printBad, printGood, printTable } from '../terminal/print.ts';
import { faint, strong } from '../terminal/style.ts';

const SOURCE = /\.[cm]?[jt]sx?$/;
const DECLARATIONS = /\.d\.[cm]?ts$/;
const IGNORED = /(^|\/)(node_modules|\.git|\.next|\.vercel|dist|build)\//;
const MAX_LIST_BYTES = 256 * 1024 * 1024;

const KIND_NAMES = Object.keys(KINDS).filter((name): name is Kind => name in KINDS);

/** Prints what is found in the source files under `paths`, which must exist. */
export function legacyScan({
  paths,
  json = false,
  fail = false,
}: {
  readonly paths: readonly string[];
  readonly json?: boolean | undefined;
  readonly fail?: boolean | undefined;
}): number {
  const files = [...new Set(paths.flatMap(listSourceFiles))].filter((file) => existsSync(file));
  const scanned = files.map((file) => ({ file, found: scanSource(file, readFileSync(file, 'utf8')) }));
  const findings = scanned.flatMap(({ found }) => found ?? []);
  const unreadable = scanned.filter(({ found }) => found === undefined).map(({ file }) => file);
  if (json)
    process.stdout.write(`${JSON.stringify({ files: files.length, findings, unreadable }, null, 2)}\n`);
  else printFindings(files.length, findings, unreadable);
  return fail && findings.length > 0 ? EXIT.failed : EXIT.success;
}

function printFindings(files: number, findings: readonly Finding[], unreadable: readonly string[]): void {
  print();
  for (const { file, line, column, kind, what } of findings) {
    print(`${file}:${line}:${column}  ${KINDS[kind]} ${faint(what)}`);
  }
  for (const file of unreadable) printBad(`${file} could not be parsed and was skipped.`);
  if (findings.length === 0) {
    printGood(`Nothing in ${files} files reads a provider’s key from the environment.`);
    return;
  }
  print();
  const count = (kind: Kind) => findings.filter((finding) => finding.kind === kind).length;
  const rows = KIND_NAMES.filter((kind) => count(kind) > 0).map((kind) => [KINDS[kind], String(count(kind))]);
  printTable(['', 'places'], [...rows, [strong(`in ${files} files`), strong(String(findings.length))]]);
  print();
}

/** JavaScript and TypeScript files, without those that git ignores; relative to the working directory, sorted. */
function listSourceFiles(path: string): readonly string[] {
  if (statSync(path).isFile()) return [path];
  const files = gitFiles(path) ?? globSync('**/*', { cwd: path });
  return files
    .filter((file) => SOURCE.test(file) && !DECLARATIONS.test(file) && !IGNORED.test(file))
    .map((file) => relative('', join(path, file)))
    .sort();
}

/** Files that git tracks, or would track if they were added; undefined outside a repository. */
function gitFiles(directory: string): readonly string[] | undefined {
  try {
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: MAX_LIST_BYTES,
    });
    const files = listed.toString().split('\0').filter(Boolean);
    return files.length > 0 ? [...new Set(files)] : undefined;
  } catch {
    return undefined;
  }
}
