import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { baseUrlVariable, configVariables } from '../../lib/config.ts';
import { providerIds } from '../../lib/providers/catalogue.ts';

const documented = [...readFileSync('.env.example', 'utf8').matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map(
  ([, name]) => name,
);

test('.env.example names every variable that is read, once', () => {
  const baseUrls = new Set(providerIds.map(baseUrlVariable));
  const own = documented.filter((name) => name !== undefined && !baseUrls.has(name));
  expect(own.sort()).toEqual([...configVariables, 'DEBUG', 'DEPLOY_ENV'].sort());
});

test('.env.example sets nothing', () => {
  expect(readFileSync('.env.example', 'utf8')).not.toMatch(/^[A-Z0-9_]+=.+$/m);
});
