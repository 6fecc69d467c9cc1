/**
 * What a call through the gateway costs, beside other ways to do the same. Every figure is the median of several rounds,
 * in each of which every target has its turn. Compare the ratios: the figures depend on the machine and on what else it
 * does. docs/performance.md describes the targets.
 *
 *     npm run bench                          a few minutes
 *     npm run bench -- --quick               about 40 seconds
 *     npm run bench -- --json=FILE           also writes every round as JSON
 *     npm run bench -- --function=FILE       measures a built function in place of api/proxy.ts
 *     npm run bench -- --only=TEXT           only scenarios whose name contains the text
 *     npm run bench -- --memory              also the memory after 10,000 and after 100,000 calls
 *     npm run bench -- --growth              also the same calls with 100, 10,000 and 1,000,000 users
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { redisServerInstalled } from '../test/support/redis-server.ts';
import { type Contender, createContenders, type Running, start } from './contenders.ts';
import { checkGoals } from './goals.ts';
import { report } from './report.ts';
import type { Sample } from './samples.ts';
import { type CallScenario, measureCalls } from './scenarios/calls.ts';
import { measureGrowth } from './scenarios/growth.ts';
import { measureMemory } from './scenarios/memory.ts';
import { measureParts } from './scenarios/parts.ts';
import { measureImports, measureStarts } from './scenarios/start-up.ts';
import { type Fixtures, startFixtures } from './start-fixtures.ts';

const USERS = 32;
const PROXY = new URL('../api/proxy.ts', import.meta.url).pathname;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    function: { type: 'string', default: PROXY },
    only: { type: 'string', default: '' },
    memory: { type: 'boolean', default: false },
    growth: { type: 'boolean', default: false },
  },
});
const functionFile = resolve(options.function);
const { rounds, starts, size } = options.quick
  ? { rounds: 3, starts: 3, size: 0.3 }
  : { rounds: 7, starts: 11, size: 1 };

const callScenarios: readonly CallScenario[] = [
  { name: 'JSON, 32 callers', kind: 'json', callers: 32, calls: 1_500 * size, warmUpCalls: 1_000 * size },
  { name: 'JSON, 1 caller', kind: 'json', callers: 1, calls: 400 * size, warmUpCalls: 50 },
  {
    name: 'burst of 100 events, 32 callers',
    kind: 'burst',
    callers: 32,
    calls: 320 * size,
    warmUpCalls: 200 * size,
  },
  { name: 'an event every 5 ms, 32 callers', kind: 'paced', callers: 32, calls: 32, warmUpCalls: 32 },
];

/** What the ratios of a table are to. */
const references = {
  ...Object.fromEntries(callScenarios.map(({ name }) => [name, 'bare, fetch'])),
  'start to first answer': 'bare, fetch',
};

const isWanted = (name: string) => name.includes(options.only);

if (!redisServerInstalled()) throw new Error('The benchmark needs redis-server, version 7 or later.');
const fixtures = await startFixtures(USERS);
const samples: Sample[] = [];
try {
  const contenders = await createContenders(fixtures, functionFile);
  console.log(`${machine()}\n`);
  await runScenarios(fixtures, contenders);
} finally {
  await fixtures.end();
}
console.log(report(samples, references));
if (options.json !== undefined) {
  const result = { machine: machine(), options, goals: checkGoals(samples), samples };
  writeFileSync(options.json, JSON.stringify(result, null, 2));
}

async function runScenarios({ env, provider }: Fixtures, contenders: readonly Contender[]): Promise<void> {
  const running: Running[] = [];
  try {
    const wanted = callScenarios.filter(({ name }) => isWanted(name));
    if (wanted.length > 0) for (const contender of contenders) running.push(await start(contender, provider));
    for (const scenario of wanted) samples.push(...(await measureCalls(running, scenario, rounds)));
  } finally {
    await Promise.all(running.map(({ target }) => target?.end()));
  }
  if (isWanted('start to first answer')) samples.push(...(await measureStarts(contenders, provider, starts)));
  if (isWanted('import')) samples.push(...measureImports(functionFile, env, starts));
  if (isWanted('part')) samples.push(...(await measureParts(fixtures, rounds)));
  if (options.memory) {
    for (const contender of contenders.filter(({ name }) => name === 'userkeys')) {
      samples.push(...(await measureMemory(contender, provider)));
    }
  }
  if (options.growth) samples.push(...(await measureGrowth(rounds)));
}

/** What the figures depend on. */
function machine(): string {
  const versionOf = (file: string) =>
    z.object({ version: z.string() }).parse(JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')))
      .version;
  const redis = /v=([\d.]+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1];
  const [cpu] = cpus();
  const { length } = cpus();
  const memoryGb = (totalmem() / 1024 ** 3).toFixed(0);
  return [
    `${new Date().toISOString()}, Node ${process.version}, redis-server ${redis}, jose ${versionOf('../node_modules/jose/package.json')}`,
    `undici ${versionOf('../node_modules/undici/package.json')}, Portkey ${versionOf('portkey/node_modules/@portkey-ai/gateway/package.json')}`,
    `${length} × ${cpu?.model}, ${memoryGb} GB, load average ${loadavg()[0]?.toFixed(1)}; function ${options.function}`,
  ].join(', ');
}
