/** The same guarantees in a plain Node process without a test runner: module systems, import order, flags. */
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { EdgeVM } from '@edge-runtime/vm';
import { afterAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const lib = join(import.meta.dirname, '../../lib');
const directory = mkdtempSync(join(tmpdir(), 'bare-process-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Statements that open a scope for the user's key, for a program of either module system. */
const OPEN = `
const scope = installScopedEnvironment().open({
  covered: new Set(['OPENAI_API_KEY', 'EXA_API_KEY']),
  keys: new Map([['OPENAI_API_KEY', { reveal: () => 'the-users' }]]),
});
`;
const urlOf = (path: string) => JSON.stringify(pathToFileURL(join(lib, path)).href);

async function runProgram(
  name: string,
  program: string,
  options: { readonly flags?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
) {
  const file = join(directory, name);
  writeFileSync(file, program);
  const env = {
    PATH: process.env.PATH,
    OPENAI_API_KEY: 'operators',
    EXA_API_KEY: 'operators',
    ...options.env,
  };
  return run(process.execPath, [...(options.flags ?? []), file], { env });
}

describe('env imported from node:process', () => {
  it('by an ES import is the view, whether imported before or after wrapping', async () => {
    writeFileSync(
      join(directory, 'legacy.mjs'),
      `import process, { env } from 'node:process'; import * as all from 'process';
       export const read = () => [env.OPENAI_API_KEY, process.env.OPENAI_API_KEY, all.env.OPENAI_API_KEY, env.EXA_API_KEY];`,
    );
    const { stdout } = await runProgram(
      'order.mjs',
      `import { read } from './legacy.mjs';
       const { installScopedEnvironment } = await import(${urlOf('process-env/scoped-environment.ts')});
       ${OPEN}
       const { env } = await import('node:process');
       console.log(JSON.stringify([read(), scope.run(read), scope.run(() => env.OPENAI_API_KEY)]));`,
    );
    expect(JSON.parse(stdout)).toEqual([
      ['operators', 'operators', 'operators', 'operators'],
      ['the-users', 'the-users', 'the-users', null],
      'the-users',
    ]);
  });

  it('by require is the view if read through process or destructured after wrapping, and the real environment if destructured before', async () => {
    const { stdout } = await runProgram(
      'order.cjs',
      `const { installScopedEnvironment } = require(${JSON.stringify(join(lib, 'process-env/scoped-environment.ts'))});
       const { env: before } = require('process');
       ${OPEN}
       const { env } = require('process');
       console.log(JSON.stringify(scope.run(() => [env, require('node:process').env, before].map((seen) => seen.OPENAI_API_KEY))));`,
    );
    expect(JSON.parse(stdout)).toEqual(['the-users', 'the-users', 'operators']);
  });
});

it('works with --env-file, NODE_DEBUG, NODE_OPTIONS and a time zone set in the environment', async () => {
  const file = join(directory, 'variables.env');
  writeFileSync(file, 'FROM_FILE=yes\nEXA_API_KEY=of-the-file\n');
  const { stdout, stderr } = await runProgram(
    'flags.mjs',
    `import { installScopedEnvironment } from ${urlOf('process-env/scoped-environment.ts')};
     import { debuglog } from 'node:util';
     ${OPEN}
     const hour = () => new Date(0).getHours();
     const seen = scope.run(() => {
       debuglog('legacy')('heard');
       const before = hour();
       process.env.TZ = 'Asia/Tokyo';
       return [process.env.FROM_FILE, process.env.EXA_API_KEY, before, hour()];
     });
     const after = hour();
     process.env.TZ = 'Asia/Tokyo';
     console.log(JSON.stringify([...seen, after, hour()]));`,
    {
      flags: [`--env-file=${file}`],
      env: { TZ: 'UTC', NODE_DEBUG: 'legacy', NODE_OPTIONS: '--no-warnings' },
    },
  );
  // A TZ set in a scope does not change the time zone of the process. Outside a scope, Node applies the change as usual.
  expect(JSON.parse(stdout)).toEqual(['yes', null, 0, 0, 0, 9]);
  expect(stderr).toContain('heard');
});

it('excludes the environment from diagnostic reports, also from those that Node writes for an exception', async () => {
  const { stdout } = await runProgram(
    'report.mjs',
    `import { readFileSync } from 'node:fs';
     import { installScopedEnvironment } from ${urlOf('process-env/scoped-environment.ts')};
     const before = JSON.stringify(process.report.getReport());
     ${OPEN}
     process.report.directory = ${JSON.stringify(directory)};
     const read = () => [
       JSON.stringify(process.report.getReport()),
       readFileSync(process.report.directory + '/' + process.report.writeReport('asked.json'), 'utf8'),
     ];
     const all = [before, ...read(), ...scope.run(read)];
     console.log(JSON.stringify(all.map((report) => [/operators/.test(report), /the-users/.test(report)])));
     process.report.filename = 'exception.json';
     process.report.reportOnUncaughtException = true;
     scope.run(() => { throw new Error('of a request'); });`,
  ).catch((error: { readonly stdout: string }) => error);
  const clean = [false, false];
  expect(JSON.parse(stdout)).toEqual([[true, false], clean, clean, clean, clean]);
  expect(readFileSync(join(directory, 'exception.json'), 'utf8')).not.toMatch(/operators|the-users/);
});

it.runIf(existsSync('/proc/self/environ'))(
  'does not hide what the process was started with from the operating system: never a user’s key, but the operator’s',
  async () => {
    const { stdout } = await runProgram(
      'environ.mjs',
      `import { readFileSync } from 'node:fs';
       import { Worker } from 'node:worker_threads';
       import { installScopedEnvironment } from ${urlOf('process-env/scoped-environment.ts')};
       ${OPEN}
       const file = scope.run(() => readFileSync('/proc/self/environ', 'utf8'));
       const asked = 'require("worker_threads").parentPort.postMessage(JSON.stringify(process.report.getReport()))';
       const report = await new Promise((resolve) => scope.run(() => new Worker(asked, { eval: true })).on('message', resolve));
       console.log(JSON.stringify([file, report].map((text) => [/operators/.test(text), /the-users/.test(text)])));`,
    );
    expect(JSON.parse(stdout)).toEqual([
      [true, false],
      [true, false],
    ]);
  },
);

it('works if two bundles in one process each contain a copy of the module', async () => {
  mkdirSync(join(directory, 'copy/process-env'), { recursive: true });
  for (const file of [
    'limits.ts',
    'secret.ts',
    ...['environment-scope', 'environment-view', 'node-runtime', 'scoped-environment', 'sealed-sockets'].map(
      (name) => `process-env/${name}.ts`,
    ),
  ]) {
    copyFileSync(join(lib, file), join(directory, 'copy', file));
  }
  const { stdout } = await runProgram(
    'copies.mjs',
    `import { installScopedEnvironment as other } from './copy/process-env/scoped-environment.ts';
     import { installScopedEnvironment } from ${urlOf('process-env/scoped-environment.ts')};
     other();
     ${OPEN}
     console.log(scope.run(() => process.env.OPENAI_API_KEY), process.env.OPENAI_API_KEY);`,
  );
  expect(stdout).toBe('the-users operators\n');
});

it('a scope that is still open does not keep the process alive', async () => {
  const { stdout } = await runProgram(
    'open.mjs',
    `import { installScopedEnvironment } from ${urlOf('process-env/scoped-environment.ts')};
     ${OPEN}
     console.log(scope.run(() => process.env.OPENAI_API_KEY));`,
  );
  expect(stdout).toBe('the-users\n');
});

it('throws a clear error if process.env is already non-configurable', async () => {
  const program = `
    Object.defineProperty(process, 'env', { value: process.env, writable: false, configurable: false });
    const { installScopedEnvironment } = await import(${urlOf('process-env/scoped-environment.ts')});
    installScopedEnvironment();`;
  await expect(runProgram('locked.mjs', program)).rejects.toThrow('Cannot redefine property: env');
});

it('throws at import on the edge runtime, naming Node as required', async () => {
  const program = (setup: string) => `
    ${setup}
    import(${urlOf('process-env/scoped-environment.ts')}).catch((error) => console.log(error.message));`;
  for (const setup of [
    'globalThis.EdgeRuntime = "edge-runtime";',
    'Object.defineProperty(globalThis, "process", { value: undefined });',
    'Object.defineProperty(globalThis, "process", { value: { env: {} } });',
  ]) {
    const { stdout } = await runProgram('edge.mjs', program(setup));
    expect(stdout).toContain('withUserEnv needs the Node.js runtime');
  }
});

it('throws the same error in a real edge runtime', () => {
  const source = readFileSync(join(lib, 'process-env/node-runtime.ts'), 'utf8');
  const script = stripTypeScriptTypes(source).replaceAll('export const', 'const');
  expect(() => new EdgeVM().evaluate(script)).toThrow('withUserEnv needs the Node.js runtime');
});
