/** `npm run legacy:scan`: what still depends on the environment, so that the way off it can be measured. */
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { print, printBad, printGood, printTable } from '../terminal/print.ts';
import { faint, strong } from '../terminal/style.ts';
import { type Finding, KINDS, type Kind } from './finding.ts';
import { listSourceFiles } from './list-source-files.ts';
import { scanSource } from './scan-source.ts';

const USAGE = `
  Lists where code reads a provider's variable from the environment, or shares a client, a result or a
  queue between requests. docs/legacy.md says what to do about each.

  npm run legacy:scan -- [path …]       default: the current directory
    --json                              for another program
    --fail                              leave with 1 when anything is found
`;

const NAMED_KINDS = Object.keys(KINDS).filter((name): name is Kind => name in KINDS);

process.exitCode = main();

function main(): number {
  const given = readArguments();
  if (given === undefined) {
    print(USAGE);
    return 2;
  }
  const { paths, json, fail } = given;
  const missing = paths.find((path) => !existsSync(path));
  if (missing !== undefined) {
    printBad(`There is no ${missing}.`);
    return 2;
  }
  const files = [...new Set(paths.flatMap(listSourceFiles))].filter((file) => existsSync(file));
  const scanned = files.map((file) => ({ file, found: scanSource(file, readFileSync(file, 'utf8')) }));
  const findings = scanned.flatMap(({ found }) => found ?? []);
  const unreadable = scanned.filter(({ found }) => found === undefined).map(({ file }) => file);
  if (json)
    process.stdout.write(`${JSON.stringify({ files: files.length, findings, unreadable }, null, 2)}\n`);
  else printFindings(files.length, findings, unreadable);
  return fail && findings.length > 0 ? 1 : 0;
}

function printFindings(files: number, findings: readonly Finding[], unreadable: readonly string[]): void {
  print();
  for (const { file, line, column, kind, what } of findings) {
    print(`${file}:${line}:${column}  ${KINDS[kind]} ${faint(what)}`);
  }
  for (const file of unreadable) printBad(`${file} could not be parsed and was left out.`);
  if (findings.length === 0) {
    printGood(`Nothing in ${files} files depends on the environment for a provider’s key.`);
    return;
  }
  print();
  const count = (kind: Kind) => findings.filter((finding) => finding.kind === kind).length;
  const rows = NAMED_KINDS.filter((kind) => count(kind) > 0).map((kind) => [
    KINDS[kind],
    String(count(kind)),
  ]);
  printTable(['', 'places'], [...rows, [strong(`in ${files} files`), strong(String(findings.length))]]);
  print();
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, fail: { type: 'boolean', default: false } },
    });
    return { ...values, paths: positionals.length > 0 ? positionals : ['.'] };
  } catch {
    return undefined;
  }
}
