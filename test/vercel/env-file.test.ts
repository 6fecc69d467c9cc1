/** What local mode writes to `.env`, as a function of a developer's own project reads it under `vercel dev`. */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { runVercelDev } from '../../dev/vercel/start-vercel-dev.ts';
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

  const { url, close } = await runVercelDev({ project, home: await temporaryDirectory() });
  onTestFinished(close);
  const read = z.record(z.string(), z.string()).parse(await (await fetch(`${url}/api/env`)).json());
  for (const [name, value] of values) expect([name, read[name]]).toEqual([name, value]);
  expect(read).toMatchObject({ OWN: 'a value' });
}, 180_000);
