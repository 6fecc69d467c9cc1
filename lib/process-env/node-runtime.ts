/**
 * Throws a clear error at import on runtimes that this folder does not support. It must be imported first, and the folder
 * loads Node's modules through `getBuiltinModule`: a static import would fail before this error is thrown.
 */
const isNode = !('EdgeRuntime' in globalThis) && typeof globalThis.process?.getBuiltinModule === 'function';

if (!isNode) {
  throw new Error(
    'withUserEnv needs the Node.js runtime (22.3 or newer): the edge runtime has no process.env that can differ between requests. ' +
      "Remove `runtime: 'edge'` from this function, or use withUserKeys.",
  );
}

export const { AsyncLocalStorage } = process.getBuiltinModule('node:async_hooks');
export const { readFileSync } = process.getBuiltinModule('node:fs');
export const { syncBuiltinESMExports } = process.getBuiltinModule('node:module');
export const { inspect, parseEnv } = process.getBuiltinModule('node:util');
export const workerThreads = process.getBuiltinModule('node:worker_threads');
export const dgram = process.getBuiltinModule('node:dgram');
export const http = process.getBuiltinModule('node:http');
export const http2 = process.getBuiltinModule('node:http2');
export const net = process.getBuiltinModule('node:net');
export const tls = process.getBuiltinModule('node:tls');
