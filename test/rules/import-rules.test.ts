import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { writeFiles } from '../support/temporary-directory.ts';

/** Breaks of each rule: lines that are put into new files, or in front of those of a file. */
const breaks: readonly { readonly rule: string; readonly files: Readonly<Record<string, string>> }[] = [
  { rule: 'api-imports-entry-points', files: { 'api/broken.ts': `import '../lib/kv/kv.ts';` } },
  { rule: 'api-imports-entry-points', files: { 'api/broken-dev.ts': `import '../dev/kv/start-kv.ts';` } },
  { rule: 'lib-stands-alone', files: { 'lib/kv/broken-cli.ts': `import '../../cli/exit-codes.ts';` } },
  { rule: 'lib-stands-alone', files: { 'lib/kv/broken-api.ts': `import '../../api/proxy.ts';` } },
  { rule: 'lib-stands-alone', files: { 'lib/broken-dev.ts': `import '../dev/kv/start-kv.ts';` } },
  { rule: 'lib-stands-alone', files: { 'lib/broken-web.ts': `import type {} from '../web/client.ts';` } },
  { rule: 'lib-stands-alone', files: { 'lib/broken-test.ts': `import '../test/support/call.ts';` } },
  { rule: 'app-is-an-entry-point', files: { 'lib/keys/broken.ts': `import { app } from '../app.ts';` } },
  {
    rule: 'app-is-an-entry-point',
    files: { 'lib/handlers/broken.ts': `export const later = () => import('../app.ts');` },
  },
  {
    rule: 'process-env-is-an-entry-point',
    files: { 'lib/guards/broken-env.ts': `import '../process-env/with-user-env.ts';` },
  },
  {
    rule: 'only-app-composes',
    files: { 'lib/vault/broken.ts': `import { composeApp } from '../compose.ts';` },
  },
  {
    rule: 'only-app-composes',
    files: { 'lib/http/broken.ts': `import type { routes } from '../routes.ts';` },
  },
  {
    rule: 'only-routes-load-handlers',
    files: { 'lib/handlers/broken-other.ts': `import { GET } from './keys.ts';` },
  },
  {
    rule: 'only-routes-load-handlers',
    files: { 'lib/keys/broken-up.ts': `export { GET } from '../handlers/keys.ts';` },
  },
  { rule: 'routes-load-handlers-lazily', files: { 'lib/routes.ts': `import './handlers/health.ts';` } },
  {
    rule: 'config-comes-from-the-entry-point',
    files: { 'lib/guards/broken.ts': `import { loadConfig } from '../config.ts';` },
  },
  { rule: 'ground-imports-nothing', files: { 'lib/log.ts': `import { Problem } from './errors.ts';` } },
  {
    rule: 'ground-imports-nothing',
    files: { 'lib/limits.ts': `import type {} from './keys/key-scope.ts';` },
  },
  {
    rule: 'no-cycles-in-lib',
    files: {
      'lib/usage/first.ts': `import type { Second } from './second.ts'; export type First = Second;`,
      'lib/usage/second.ts': `import type { First } from './first.ts'; export type Second = First;`,
    },
  },
  {
    rule: 'no-cycles',
    files: {
      'cli/first.ts': `import { second } from './second.ts'; export const first = () => second;`,
      'cli/second.ts': `import { first } from './first.ts'; export const second = () => first;`,
    },
  },
  {
    rule: 'only-kv-names-the-client',
    files: { 'lib/account/broken.ts': `import type { VercelKV } from '@vercel/kv';` },
  },
  {
    rule: 'only-vault-has-master-keys',
    files: { 'lib/rotation/broken.ts': `import { parseMasterKeys } from '../vault/master-keys.ts';` },
  },
  {
    rule: 'only-vault-has-master-keys',
    files: { 'lib/rotation/broken-type.ts': `import type { MasterKey } from '../vault/master-keys.ts';` },
  },
  {
    rule: 'only-vault-has-master-keys',
    files: { 'cli/broken.ts': `export { KID } from '../lib/vault/master-keys.ts';` },
  },
  { rule: 'only-outgoing-sends', files: { 'lib/providers/broken.ts': `import { fetch } from 'undici';` } },
  {
    rule: 'only-generate-loads-the-ai-sdk',
    files: { 'lib/gateway/broken.ts': `export const later = () => import('ai');` },
  },
  {
    rule: 'only-generate-loads-the-ai-sdk',
    files: { 'lib/gateway/broken-provider.ts': `import { createOpenAI } from '@ai-sdk/openai';` },
  },
  {
    rule: 'only-language-models-names-providers-of-the-ai-sdk',
    files: { 'lib/generate/broken.ts': `import { createOpenAI } from '@ai-sdk/openai';` },
  },
  {
    rule: 'only-kms-loads-the-kms-client',
    files: { 'lib/vault/broken-kms.ts': `export const later = () => import('@aws-sdk/client-kms');` },
  },
  {
    rule: 'kms-client-is-loaded-lazily',
    files: { 'lib/vault/kms.ts': `import { KMSClient } from '@aws-sdk/client-kms';` },
  },
  {
    rule: 'only-tracing-loads-opentelemetry',
    files: { 'lib/telemetry/broken.ts': `import { trace } from '@opentelemetry/api';` },
  },
  {
    rule: 'tracing-is-loaded-lazily',
    files: { 'lib/http/broken-tracing.ts': `import { startTracing } from '../telemetry/tracing.ts';` },
  },
  {
    rule: 'local-files-are-loaded-lazily',
    files: { 'lib/keys/broken-local.ts': `import { createLocalKeys } from '../local/local-keys.ts';` },
  },
  {
    rule: 'web-takes-only-types-from-lib',
    files: { 'web/broken.ts': `import { catalogue } from '../lib/providers/catalogue.ts';` },
  },
  {
    rule: 'web-stands-on-lib-alone',
    files: { 'web/broken-dev.ts': `import type {} from '../dev/kv/start-kv.ts';` },
  },
  { rule: 'web-has-no-modules-of-node', files: { 'web/broken-node.ts': `import 'node:fs';` } },
  {
    rule: 'onboarding-schema-runs-in-browsers',
    files: { 'lib/onboarding/step-data.ts': `import { log } from '../log.ts';` },
  },
  {
    rule: 'onboarding-schema-runs-in-browsers',
    files: { 'lib/onboarding/onboarding-schema.ts': `import 'node:fs';` },
  },
  { rule: 'tests-are-for-tests', files: { 'dev/broken.ts': `import '../test/support/call.ts';` } },
];

const root = join(import.meta.dirname, '../..');

const report = z.object({
  modules: z.array(z.object({ source: z.string() })),
  summary: z.object({
    violations: z.array(
      z.object({ from: z.string(), rule: z.object({ name: z.string(), severity: z.string() }) }),
    ),
  }),
});

const configuration = z
  .object({
    forbidden: z.array(z.object({ name: z.string(), comment: z.string().min(20), severity: z.string() })),
  })
  .parse(createRequire(import.meta.url)('../../.dependency-cruiser.cjs'));

/** The folders that `npm run lint` checks, as package.json names them. */
async function lintedFolders(): Promise<readonly string[]> {
  const { scripts } = z
    .object({ scripts: z.object({ lint: z.string(), check: z.string() }) })
    .parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  expect(scripts.check).toContain('npm run lint');
  const [, folders] = /&& depcruise ((?:\w+ ?)+)$/.exec(scripts.lint) ?? [];
  if (folders === undefined) throw new Error('`npm run lint` does not run depcruise');
  return folders.split(' ');
}

async function depcruise(directory: string, ...args: readonly string[]) {
  const command = [join(root, 'node_modules/.bin/depcruise'), ...args];
  return new Promise<{ readonly code: number; readonly output: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      [...command, ...folders],
      { cwd: directory, maxBuffer: 64 * 1024 * 1024 },
      (_, output) => resolve({ code: child.exitCode ?? -1, output }),
    );
  });
}

async function check(directory: string) {
  const { output } = await depcruise(directory, '--output-type', 'json');
  return report.parse(JSON.parse(output));
}

let folders: readonly string[];

beforeAll(async () => {
  folders = await lintedFolders();
});

describe('this tree', () => {
  test('keeps every rule, and every file of lib/ is looked at', async () => {
    const { modules, summary } = await check(root);
    expect(summary.violations).toEqual([]);
    const names = (await readdir(join(root, 'lib'), { recursive: true })).filter((name) =>
      name.endsWith('.ts'),
    );
    expect(modules.map(({ source }) => source)).toEqual(
      expect.arrayContaining(names.map((name) => `lib/${name}`)),
    );
  });
});

describe('a copy of this tree in which each rule is broken', () => {
  let copy: string;
  let violations: z.infer<typeof report>['summary']['violations'];

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'userkeys-rules-'));
    const copied = [...folders, 'package.json', '.dependency-cruiser.cjs', 'test/support'];
    await Promise.all(copied.map((name) => cp(join(root, name), join(copy, name), { recursive: true })));
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
    for (const [path, text] of breaks.flatMap(({ files }) => Object.entries(files))) {
      const former = await readFile(join(copy, path), 'utf8').catch(() => '');
      await writeFiles(copy, { [path]: `${text}\n${former}` });
    }
    violations = (await check(copy)).summary.violations;
  });

  afterAll(() => rm(copy, { recursive: true, force: true }));

  test.each(breaks.map(({ rule, files }) => ({ rule, paths: Object.keys(files) })))(
    '$rule is reported for $paths.0',
    ({ rule, paths }) => {
      const broken = violations.filter(({ rule: { name } }) => name === rule).map(({ from }) => from);
      // A cycle is reported at one of its files.
      expect(broken.some((from) => paths.includes(from))).toBe(true);
    },
  );

  test('only the broken files are reported', () => {
    const paths = new Set(breaks.flatMap(({ files }) => Object.keys(files)));
    // A break of another rule can close a cycle, which is reported at each of its files.
    const others = violations.filter(
      ({ from, rule }) => !paths.has(from) && rule.name !== 'no-cycles-in-lib',
    );
    expect(others).toEqual([]);
  });

  test('makes the command fail', async () => {
    const { code, output } = await depcruise(copy);
    expect(code).not.toBe(0);
    expect(output).toContain('only-vault-has-master-keys: lib/rotation/broken.ts → lib/vault/master-keys.ts');
  });
});

test('every rule has a break and is an error', () => {
  const broken = new Set(breaks.map(({ rule }) => rule));
  expect(new Set(configuration.forbidden.map(({ name }) => name))).toEqual(broken);
  for (const rule of configuration.forbidden) expect(rule).toMatchObject({ severity: 'error' });
});
