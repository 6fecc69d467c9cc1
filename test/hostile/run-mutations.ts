/**
 * `npm run test:mutations`: breaks the service on purpose, one edit at a time, in temporary copies of this tree, and
 * checks that the hostile suite finds each break. Prints a table. Exits with 1 if a break is not found, if its text is no
 * longer in the file, or if the suite fails without any break.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type Mutation, mutations } from './mutations.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** Neither needed by the suite nor small. */
const LEFT_OUT = new Set(['node_modules', '.git', '.vercel', 'dist', 'docs', 'bench']);
/** How many copies are tested at the same time: `--copies=1` on a machine that is busy. */
const COPIES = process.argv.includes('--copies=1') ? 1 : 2;

type Result = {
  readonly mutation: Mutation;
  readonly outcome: 'found' | 'SURVIVED' | 'TEXT NOT FOUND';
  readonly foundBy: string;
};
type Report = {
  readonly testResults?: readonly {
    readonly message?: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
};

function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'userkeys-mutations-'));
  cpSync(ROOT, copy, { recursive: true, filter: (path) => path === ROOT || !LEFT_OUT.has(basename(path)) });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Runs test files of the copy up to the first failure. Returns the failed test, or undefined if all passed. */
async function firstFailure(copy: string, files: readonly string[]): Promise<string | undefined> {
  const output = join(copy, 'report.json');
  rmSync(output, { force: true });
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const options = ['--bail=1', '--no-cache', '--maxWorkers=1', '--reporter=json', `--outputFile=${output}`];
  const child = spawn(process.execPath, [vitest, 'run', ...files, ...options], {
    cwd: copy,
    stdio: 'ignore',
  });
  const [code] = await once(child, 'exit');
  if (code === 0) return undefined;
  if (!existsSync(output)) return 'no test ran';
  const report: Report = JSON.parse(readFileSync(output, 'utf8'));
  const results = report.testResults ?? [];
  const failed = results
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === 'failed');
  return (
    failed?.fullName ??
    results.find(({ message }) => message)?.message?.split('\n')[0] ??
    'a failure without a test'
  );
}

async function tryMutation(copy: string, mutation: Mutation): Promise<Result> {
  const path = join(copy, mutation.file);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (text.split(mutation.search).length !== 2)
    return { mutation, outcome: 'TEXT NOT FOUND', foundBy: mutation.file };
  writeFileSync(
    path,
    text.replace(mutation.search, () => mutation.replace),
  );
  try {
    const failure = await firstFailure(copy, [`test/hostile/${mutation.family}.test.ts`]);
    return { mutation, outcome: failure === undefined ? 'SURVIVED' : 'found', foundBy: failure ?? '' };
  } finally {
    writeFileSync(path, text);
  }
}

const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const chosen = mutations.filter(({ family }) => named.length === 0 || named.includes(family));
const copies = Array.from({ length: COPIES }, copyTree);
try {
  const [first = ''] = copies;
  const families = [...new Set(chosen.map(({ family }) => `test/hostile/${family}.test.ts`))];
  const failure = await firstFailure(first, families);
  if (failure !== undefined) {
    process.stdout.write(`The suite fails without any break: ${failure}\n`);
    process.exitCode = 1;
  } else {
    const queue = chosen.values();
    const results: Result[] = [];
    await Promise.all(
      copies.map(async (copy) => {
        for (const mutation of queue) {
          const result = await tryMutation(copy, mutation);
          results.push(result);
          process.stdout.write(`${result.outcome}: ${mutation.family}: ${mutation.title}\n`);
        }
      }),
    );
    printTable(chosen.flatMap((mutation) => results.filter((result) => result.mutation === mutation)));
    if (results.some(({ outcome }) => outcome !== 'found')) process.exitCode = 1;
  }
} finally {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
}

function printTable(results: readonly Result[]): void {
  process.stdout.write('\n| family | break | found by | result |\n|---|---|---|---|\n');
  for (const { mutation, outcome, foundBy } of results) {
    const printable = foundBy.replace(/[^\x20-\x7e’…]/g, '?').replaceAll('|', '\\|');
    process.stdout.write(
      `| ${mutation.family} | ${mutation.title} | ${printable.slice(0, 120)} | ${outcome} |\n`,
    );
  }
}
