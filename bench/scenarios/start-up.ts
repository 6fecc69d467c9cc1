/** What a cold start costs: the CPU of a process until its first answer, and of importing the gateway's function. */
import { execFileSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { runCalls } from '../callers.ts';
import { type Contender, start } from '../contenders.ts';
import { cpuMicros } from '../processes.ts';
import type { Sample } from '../samples.ts';

export async function measureStarts(
  contenders: readonly Contender[],
  provider: string,
  rounds: number,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (const contender of contenders) {
    if (contender.program === undefined) continue;
    for (let round = 0; round < rounds; round += 1) {
      const startedAt = performance.now();
      const { name, target, destination } = await start(contender, provider);
      await runCalls(destination, 'json', { callers: 1, calls: 1 });
      const wallMs = performance.now() - startedAt;
      const cpuMs = cpuMicros(target?.pid ?? 0) / 1_000;
      await target?.end();
      samples.push({ scenario: 'start to first answer', contender: name, round, figures: { cpuMs, wallMs } });
    }
  }
  return samples;
}

/** In a process of its own. Prints the microseconds of all threads, with what the process itself took to start. */
const IMPORT = `
const before = process.cpuUsage();
await import(process.argv[1]);
const { user, system } = process.cpuUsage(before);
console.log(user + system);
process.exit();`;

export function measureImports(
  functionFile: string,
  env: Readonly<Record<string, string>>,
  rounds: number,
): readonly Sample[] {
  const modules = [
    ['jose', 'jose'],
    ['gateway function', pathToFileURL(functionFile).href],
  ] as const;
  return Array.from({ length: rounds }).flatMap((_, round) =>
    modules.map(([contender, specifier]) => {
      const args = ['--input-type=module', '--eval', IMPORT, specifier];
      const text = execFileSync(process.execPath, args, {
        cwd: import.meta.dirname,
        env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
        encoding: 'utf8',
      });
      return { scenario: 'import', contender, round, figures: { cpuMs: Number(text) / 1_000 } };
    }),
  );
}
