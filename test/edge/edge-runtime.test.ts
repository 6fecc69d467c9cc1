/** Runs the whole app over `fetch` inside the edge runtime's own VM. */
import { EdgeVM } from '@edge-runtime/vm';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let bundle: string;

const ENTRY = new URL('./edge-entry.ts', import.meta.url).pathname;

beforeAll(async () => {
  world = await startWorld();
  const built = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      lib: { entry: ENTRY, formats: ['iife'], name: 'edge' },
      rollupOptions: { external: [] },
    },
    resolve: { conditions: ['edge-light', 'worker', 'browser', 'import'] },
  });
  const [output] = z.array(z.object({ output: z.array(z.object({ code: z.string() })) })).parse(built);
  bundle = output?.output[0]?.code ?? '';
});
afterAll(() => world.close());

test('the bundle imports no Node module', () => {
  expect(bundle).not.toMatch(/\b(require|from)\b\s*\(?["']node:/);
});

test('a user’s key is saved, listed, opened and used through the gateway', async () => {
  const vm = new EdgeVM();
  vm.evaluate(`globalThis.process = { env: {} };`);
  vm.evaluate(bundle);
  const run = z
    .custom<(input: unknown) => Promise<unknown>>((value) => typeof value === 'function')
    .parse(vm.evaluate('edge.run'));
  const key = newProviderKey();
  const result = await run({ env: { ...world.env }, token: await world.tokenFor('edge'), key });
  expect(JSON.parse(String(result))).toEqual({
    saved: 201,
    listed: [{ provider: 'openai', status: 'valid' }],
    proxied: { status: 200, text: '{"valid":true,"data":[]}' },
    streamed: 'Hello from openai',
    moved: 'key_unreadable',
    refused: 401,
  });
  expect(world.calls.map(({ credential }) => credential)).toEqual([key, key, key]);
  expect(JSON.stringify(world.calls.map(({ rawHeaders }) => rawHeaders))).not.toContain('x-vercel');
});
