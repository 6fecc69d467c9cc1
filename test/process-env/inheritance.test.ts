/** Child processes and workers started by a request never inherit a key of a user or of the operator. */

import { exec, execFile, fork, spawn, spawnSync } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installScopedEnvironment } from '../../lib/process-env/scoped-environment.ts';
import { newProviderKey } from '../support/start-world.ts';
import { inScope } from './open-scope.ts';

const users = newProviderKey('sk-user-');
const operators = newProviderKey('sk-operator-');
const DUMP = 'process.stdout.write(JSON.stringify(process.env))';
const node = process.execPath;
const directory = mkdtempSync(join(tmpdir(), 'inheritance-'));
const dumpFile = join(directory, 'dump.cjs');
afterAll(() => rmSync(directory, { recursive: true }));

beforeAll(() => {
  process.env.OPENAI_API_KEY = operators;
  process.env.GEMINI_API_KEY = operators;
  process.env.ORDINARY = 'inherited';
  writeFileSync(dumpFile, 'process.send?.(process.env);');
  installScopedEnvironment();
});

/** Each way to start a process that inherits the environment, and the environment that the process saw. */
const children: readonly (readonly [string, () => Promise<string>])[] = [
  ['spawn', () => text(spawn(node, ['-e', DUMP]).stdout)],
  ['spawn with process.env', () => text(spawn(node, ['-e', DUMP], { env: process.env }).stdout)],
  ['spawn with a spread', () => text(spawn(node, ['-e', DUMP], { env: { ...process.env } }).stdout)],
  [
    'spawn with an inheriting object',
    () => text(spawn(node, ['-e', DUMP], { env: Object.create(process.env) }).stdout),
  ],
  ['spawnSync', async () => spawnSync(node, ['-e', DUMP], { encoding: 'utf8' }).stdout],
  ['execFile', async () => (await promisify(execFile)(node, ['-e', DUMP])).stdout],
  ['exec in a shell', async () => (await promisify(exec)('env')).stdout],
  ['fork', async () => JSON.stringify((await once(fork(dumpFile), 'message'))[0])],
  [
    'cluster.fork',
    async () => {
      cluster.setupPrimary({ exec: dumpFile });
      const worker = cluster.fork();
      const [seen] = await once(worker, 'message');
      worker.kill();
      return JSON.stringify(seen);
    },
  ],
  ['a worker', () => seenByWorker({})],
  ['a worker with process.env', () => seenByWorker({ env: process.env })],
  ['a worker with SHARE_ENV', () => seenByWorker({ env: SHARE_ENV })],
  ['a worker of the CommonJS module', () => seenByWorker({}, requireWorker())],
];

describe.each(children)('%s', (_name, start) => {
  it('started in a scope inherits ordinary variables and no provider variables', async () => {
    const seen = await inScope({ OPENAI_API_KEY: users }, start);
    expect(seen).toContain('inherited');
    expect(seen).not.toContain(users);
    expect(seen).not.toContain(operators);
  });

  it('started outside a scope inherits the environment unchanged', async () => {
    const seen = await start();
    expect(seen).toContain('inherited');
    expect(seen).toContain(operators);
  });
});

it('a key can be passed to a child process explicitly by name', async () => {
  const seen = await inScope({ OPENAI_API_KEY: users }, () => {
    const { OPENAI_API_KEY } = process.env;
    return text(spawn(node, ['-e', DUMP], { env: { ...process.env, OPENAI_API_KEY } }).stdout);
  });
  expect(JSON.parse(seen)).toMatchObject({ OPENAI_API_KEY: users, ORDINARY: 'inherited' });
});

it('a worker’s own env option is used, and its other options are kept', async () => {
  const seen = await inScope({}, () => {
    process.env.ORDINARY = 'of this request';
    const code = 'const w = require("worker_threads"); w.parentPort.postMessage([w.workerData, process.env])';
    const worker = new Worker(code, { eval: true, workerData: 'data' });
    expect(worker).toBeInstanceOf(Worker);
    return once(worker, 'message');
  });
  expect(seen[0]).toMatchObject(['data', { ORDINARY: 'of this request' }]);
});

async function seenByWorker(
  options: { env?: NodeJS.ProcessEnv | typeof SHARE_ENV },
  Start: typeof Worker = Worker,
): Promise<string> {
  const code = 'require("worker_threads").parentPort.postMessage(JSON.stringify(process.env))';
  const [seen] = await once(new Start(code, { ...options, eval: true }), 'message');
  return seen;
}

function requireWorker(): typeof Worker {
  return process.getBuiltinModule('node:worker_threads').Worker;
}
