import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defineConfig } from 'rolldown';

const { resolve } = createRequire(import.meta.url);

/** What a call of a user loads with `import()`, one part after the other. One file loads in half the time of thirty. */
const CALL = [
  'audit/journal',
  'guards/rate-limit',
  'handlers/proxy',
  'identity/issuer-keys',
  'identity/verify-token',
  'keys/key-scope',
  'kv/kv',
  'outgoing/undici-send',
  'usage/meter',
  'vault/key-ring',
  'vault/node-cipher',
];

/**
 * Builds what the functions in api/ load, from lib/serve.ts and all packages. `base.js` has what every function starts
 * with, `call.js` what a call of a user needs on top, and every other `import()` has a file of its own. The bundle lies
 * beside the source, because Vercel's builder compiles `../lib/serve.ts` to `../lib/serve.js` and takes a file of that
 * name if there is one. See docs/decisions/15-bundled-functions.md.
 */
export default defineConfig({
  input: { serve: 'lib/serve.ts' },
  platform: 'node',
  resolve: {
    // The whole package is CommonJS and cannot be shaken. This is the file of its `waitUntil`.
    alias: { '@vercel/functions$': join(dirname(resolve('@vercel/functions')), 'wait-until.js') },
  },
  // Read by undici: leaves out the parser that it has as an experiment.
  transform: { define: { esbuildDetection: 'true' } },
  output: {
    dir: 'lib',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    // For people. No function has them: a process that reads source maps spends a fifth more until its first answer.
    sourcemap: 'hidden',
    // The log has the class and the frames of unexpected errors, so these names stay.
    minify: {
      compress: { keepNames: { function: true, class: true } },
      mangle: { keepNames: true },
      codegen: { removeWhitespace: true },
    },
    codeSplitting: {
      groups: [
        { name: 'base', tags: ['$initial'] },
        { name: 'call', test: new RegExp(`/lib/(?:${CALL.join('|')})\\.ts$`) },
      ],
    },
  },
  logLevel: 'warn',
  // A package of OpenTelemetry calls `eval`. compose.ts loads all parts with `import()`, also one that is there anyway.
  checks: { eval: false, ineffectiveDynamicImport: false },
});
