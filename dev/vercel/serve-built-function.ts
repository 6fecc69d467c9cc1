import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { LOOPBACK } from '../http/listen.ts';

const ENTRY = fileURLToPath(new URL('built-function.ts', import.meta.url));

const FunctionConfig = z.object({
  handler: z.string(),
  runtime: z.templateLiteral(['nodejs', z.number(), '.x']),
  launcherType: z.literal('Nodejs'),
  maxDuration: z.number().optional(),
  supportsCancellation: z.boolean().optional(),
});
type FunctionConfig = z.infer<typeof FunctionConfig>;

export type BuiltFunction = {
  /** The path of the URL is the function's to judge, as after the platform's routing. */
  readonly url: string;
  readonly config: FunctionConfig;
  close(): Promise<void>;
};

/**
 * Runs one function of a build (a `.func` directory) as the platform would: in a process whose working directory
 * is the function's own, so that it finds nothing but the files it was built with, with `env` and the variables
 * that show a deployment, and none of the caller's. One process serves all calls, as a warm instance does.
 * `onLog` gets each line it prints.
 */
export async function serveBuiltFunction(
  directory: string,
  env: Readonly<Record<string, string>>,
  onLog: (line: string) => void = () => {},
): Promise<BuiltFunction> {
  const config = FunctionConfig.parse(JSON.parse(await readFile(join(directory, '.vc-config.json'), 'utf8')));
  const child = fork(ENTRY, [join(directory, config.handler)], {
    cwd: directory,
    env: {
      NODE_ENV: 'production',
      VERCEL: '1',
      VERCEL_ENV: 'production',
      LAMBDA_TASK_ROOT: directory,
      ...env,
    },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', onLog);
  }
  const exited = once(child, 'exit');
  const ended = exited.then(() => {
    throw new Error(`${config.handler} ended before it listened.`);
  });
  const [port] = await Promise.race([once(child, 'message'), ended]);
  ended.catch(() => {});
  return {
    url: `http://${LOOPBACK}:${z.number().parse(port)}`,
    config,
    async close() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
