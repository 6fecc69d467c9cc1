/**
 * Measures what a cold start costs: CPU of a fresh process that imports a built function and answers one call. Compare
 * the ratios to what importing jose costs in the same run. The processes of all cases take turns, and the median counts.
 *
 *     npm run bench:start
 *     npm run bench:start -- <directory of a `vercel build`> …
 */
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { vercelBuild } from '../dev/vercel/build.ts';
import { percentile } from './samples.ts';

const ROUNDS = 15;

const fixtures = fork(new URL('./cold-start/fixtures.ts', import.meta.url));
const [message] = await once(fixtures, 'message');
const { env, token, provider } = z
  .object({ env: z.record(z.string(), z.string()), token: z.string(), provider: z.string() })
  .parse(message);

type Figures = { readonly imported: number; readonly answered: number };
type Case = { readonly name: string; readonly cwd: string; readonly script: string };

/** What each process runs before and after: the CPU of all its threads, from the start of the process. */
const MEASURE = `
const spent = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
const print = (figures) => console.log('\\n' + JSON.stringify(figures));
`;

/** Imports a package and does nothing else. */
const importOnly = (specifier: string): Case => ({
  name: `import ${specifier}`,
  cwd: process.cwd(),
  script: `const before = spent();
await import(${JSON.stringify(specifier)});
print({ imported: spent() - before, answered: 0 });`,
});

/** A pass-through with the global \`fetch\`, and nothing else. */
const barePassThrough: Case = {
  name: 'bare pass-through, fetch',
  cwd: process.cwd(),
  script: `const { body, status } = await fetch(${JSON.stringify(`${provider}/v1/models`)});
const text = await new Response(body, { status }).text();
print({ imported: 0, answered: spent() });`,
};

type Call = {
  readonly method?: string;
  readonly path: string;
  readonly token?: string;
  readonly json?: unknown;
};

const calls: Readonly<Record<string, Call>> = {
  proxy: { path: '/api/proxy/openai/v1/models' },
  userkeys: { path: '/api/keys' },
  generate: { method: 'POST', path: '/api/generate', json: { provider: 'mistral', prompt: 'Hi' } },
  rotate: { path: '/api/cron/rotate', token: env.CRON_SECRET ?? '' },
};

function firstAnswer(build: string, name: string, call: Call): Case {
  const { method = 'GET', path, json } = call;
  const directory = join(build, `functions/api/${name}.func`);
  const init = {
    method,
    headers: { authorization: `Bearer ${call.token ?? token}`, 'content-type': 'application/json' },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  };
  return {
    name: `${name}: ${method} ${path}`,
    cwd: directory,
    script: `const before = spent();
const handlers = await import(${JSON.stringify(pathToFileURL(join(directory, `api/${name}.js`)).href)});
const imported = spent() - before;
const request = new Request(${JSON.stringify(`http://gateway${path}`)}, ${JSON.stringify(init)});
const answer = await handlers.${method}(request);
const text = await answer.text();
if (!answer.ok) throw new Error(text);
print({ imported, answered: spent() });`,
  };
}

/** In a process that has the settings of a deployment and no variable of this one. */
async function run({ cwd, script }: Case): Promise<Figures> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', MEASURE + script],
    { cwd, env: { ...env, VERCEL: '1', VERCEL_ENV: 'production' } },
  );
  return z
    .object({ imported: z.number(), answered: z.number() })
    .parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
}

async function saveKeys(build: string): Promise<void> {
  for (const provider of ['openai', 'mistral']) {
    const put = { method: 'PUT', path: `/api/keys/${provider}`, json: { key: 'sk-bench-key' } };
    await run(firstAnswer(build, 'userkeys', put));
  }
}

const median = (values: readonly number[]) =>
  percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

const given = process.argv.slice(2).map((directory) => resolve(directory));
const built = given.length > 0 ? undefined : await vercelBuild();
const builds = built === undefined ? given : [built.outputDirectory];
try {
  await saveKeys(builds[0] ?? '');
  const cases = [
    importOnly('jose'),
    barePassThrough,
    ...builds.flatMap((build) => Object.entries(calls).map(([name, call]) => firstAnswer(build, name, call))),
  ];
  const figures = cases.map((): Figures[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, each] of cases.entries()) figures[index]?.push(await run(each));
  }
  const jose = median((figures[0] ?? []).map(({ imported }) => imported));
  console.log(`Node ${process.version}, CPU ms of one process, median of ${ROUNDS}\n`);
  console.log(
    `${''.padEnd(52)}${'import'.padStart(8)}${'/ jose'.padStart(8)}${'answer'.padStart(8)}${'/ jose'.padStart(8)}`,
  );
  for (const [index, { name }] of cases.entries()) {
    const parts = (['imported', 'answered'] as const).flatMap((part) => {
      const value = median((figures[index] ?? []).map((each) => each[part]));
      return value === 0 ? ['', ''] : [value.toFixed(0), (value / jose).toFixed(2)];
    });
    console.log(name.padEnd(52) + parts.map((text) => text.padStart(8)).join(''));
  }
} finally {
  await built?.remove();
  fixtures.disconnect();
  await once(fixtures, 'exit');
}
