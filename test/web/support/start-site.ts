import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { startFunctions } from '../../../dev/host/start-functions.ts';
import { type Issuer, startIssuer } from '../../../dev/issuer/start-issuer.ts';
import { startVercelDev } from '../../../dev/vercel/start-vercel-dev.ts';
import { startWorld, type World } from '../../support/start-world.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The page and the functions on one origin, with the servers they depend on. */
export type Site = {
  readonly url: string;
  readonly world: World;
  /** Issues tokens for alice and bob. */
  readonly issuer: Issuer;
  close(): Promise<void>;
};

/** Starts the site under the development host in production mode, so every user has separate keys. */
export async function startSite(
  options: { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Site> {
  const [issuer, root] = await Promise.all([startIssuer(), mkdtemp(join(tmpdir(), 'userkeys-site-'))]);
  const world = await startWorld({ applyEnv: false, env: { AUTH_ISSUER: issuer.url, ...options.env } });
  const config: unknown = JSON.parse(await readFile(join(ROOT, 'vercel.json'), 'utf8'));
  await writeFile(
    join(root, 'vercel.json'),
    JSON.stringify(Object.assign({}, config, { outputDirectory: 'page' })),
  );
  await symlink(join(ROOT, 'api'), join(root, 'api'));
  await symlink(inject('pageDirectory'), join(root, 'page'));
  const functions = await startFunctions({ root, env: world.env });
  return {
    url: functions.url,
    world,
    issuer,
    async close() {
      await functions.close();
      await Promise.all([world.close(), issuer.close(), rm(root, { recursive: true })]);
    },
  };
}

/** Starts the site under `vercel dev`, which routes like a deployment. Each call runs in a new process. */
export async function startVercelSite(): Promise<Site> {
  const issuer = await startIssuer();
  const world = await startWorld({ applyEnv: false, env: { AUTH_ISSUER: issuer.url } });
  const dev = await startVercelDev({ env: { ...world.env }, page: inject('pageDirectory') });
  return {
    url: dev.url,
    world,
    issuer,
    async close() {
      await dev.close();
      await Promise.all([world.close(), issuer.close()]);
    },
  };
}
