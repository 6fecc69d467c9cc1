/**
 * Says clearly, at import, where this folder cannot work. It must be imported first, and the folder takes
 * Node's modules through `getBuiltinModule`: a static import of one would fail before this message is seen.
 */
const onNode = !('EdgeRuntime' in globalThis) && typeof globalThis.process?.getBuiltinModule === 'function';

if (!onNode) {
  throw new Error(
    'withUserEnv needs the Node.js runtime (22.3 or newer): the edge runtime has no process.env to give a request its own view of. ' +
      "Remove `runtime: 'edge'` from this function, or use withUserKeys.",
  );
}

export const { AsyncLocalStorage } = process.getBuiltinModule('node:async_hooks');
export const { readFileSync } = process.getBuiltinModule('node:fs');
export const { syncBuiltinESMExports } = process.getBuiltinModule('node:module');
export const { inspect, parseEnv } = process.getBuiltinModule('node:util');
export const workerThreads = process.getBuiltinModule('node:worker_threads');
