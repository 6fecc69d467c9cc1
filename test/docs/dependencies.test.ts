/** docs/dependencies.md gives a reason for every package, and for no other. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';

const packages = z.record(z.string(), z.string());
const { dependencies, devDependencies } = z
  .object({ dependencies: packages, devDependencies: packages })
  .parse(JSON.parse(readFileSync('package.json', 'utf8')));
const page = readFileSync('docs/dependencies.md', 'utf8');

/** The rows of one section: package and reason. */
function rowsOf(section: string): readonly (readonly [name: string, reason: string])[] {
  const text = page.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? '';
  return [...text.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(([, name = '', reason = '']) => [
    name,
    reason.trim(),
  ]);
}

test.each([
  ['dependencies', dependencies],
  ['devDependencies', devDependencies],
])('lists each of the %s once, in order, with a reason', (section, expected) => {
  const rows = rowsOf(section);
  expect(rows.map(([name]) => name)).toEqual(Object.keys(expected).sort());
  for (const [, reason] of rows) expect(reason).toMatch(/^[A-Z].{15,}\.$/);
});

test('the functions import every dependency, or another dependency requires it', () => {
  const sources = ['api', 'lib'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(`${folder}/${path}`, 'utf8')),
  );
  const imported = new Set(
    sources.flatMap((source) =>
      [...source.matchAll(/(?:from |import\()'((?:@[^/']+\/)?[^/']+)/g)].map(([, name]) => name),
    ),
  );
  const required = Object.keys(dependencies).flatMap((name) => Object.keys(peersOf(name)));
  for (const name of Object.keys(dependencies)) expect([...imported, ...required]).toContain(name);
});

function peersOf(name: string): z.infer<typeof packages> {
  const manifest: unknown = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'));
  return z.object({ peerDependencies: packages.default({}) }).parse(manifest).peerDependencies;
}
