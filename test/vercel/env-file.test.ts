/** What local mode writes to `.env`, as a function of a developer's own project reads it under `vercel dev`. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { LOOPBACK } from '../../dev/http/listen.ts';
import { cliEnvironment, vercelCli } from '../../dev/vercel/cli.ts';
import { changeEnvFiles } from '../../lib/local/change-env-files.ts';
import { catalogue } from '../../lib/providers/catalogue.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Every character that a value may have in the file, in front, behind and in the middle. */
const SAFE = `${'ABCxyz019'}._+/=:@%,-`;
const values = new Map(
  catalogue.map(({ variables: [name] }, index) => {
    const turned = SAFE.slice(index % SAFE.length) + SAFE.slice(0, index % SAFE.length);
    return [name, `${turned}${randomBytes(6).toString('hex')}${turned}`] as const;
  }),
);

test('a key written to .env is read back identically under vercel dev, and what else was there too', async () => {
  const project = await temporaryDirectory();
  const file = join(project, '.env');
  await mkdir(join(project, 'api'));
  await writeFile(join(project, 'package.json'), '{"type":"module"}');
  await writeFile(join(project, 'api/env.js'), 'export const GET = () => Response.json(process.env);\n');
  await writeFile(file, '# mine\nOWN="a value"\n');
  await changeEnvFiles(new Map([[file, values]]), async () => {});

  const url = await startCli(project, await temporaryDirectory());
  const read = z.record(z.string(), z.string()).parse(await (await fetch(`${url}/api/env`)).json());
  for (const [name, value] of values) expect([name, read[name]]).toEqual([name, value]);
  expect(read).toMatchObject({ OWN: 'a value' });
}, 180_000);

/** The CLI in a project, on a port the system picks; it ends with the test. */
async function startCli(project: string, home: string): Promise<string> {
  const args = [await vercelCli(), 'dev', '--local', '--yes', '--listen', `${LOOPBACK}:0`];
  const cli = spawn(process.execPath, args, {
    cwd: project,
    env: cliEnvironment(home),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  onTestFinished(async () => {
    const exited = once(cli, 'exit');
    if (cli.pid !== undefined) process.kill(-cli.pid, 'SIGKILL');
    await exited;
  });
  return new Promise((resolve, reject) => {
    for (const stream of [cli.stdout, cli.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        const url = /Available at (http:\/\/\S+)/.exec(line)?.[1];
        if (url !== undefined) resolve(url);
      });
    }
    cli.once('exit', () => reject(new Error('vercel dev did not start')));
  });
}
