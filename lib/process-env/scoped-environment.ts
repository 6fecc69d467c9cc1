/**
 * Replaces `process.env` with the view, once per process, and opens scopes in it. Only this module and
 * `sealed-sockets.ts` change globals. Here: `process.env`, `globalThis.process`, `process.loadEnvFile` and
 * `worker_threads.Worker`, which behave as in Node outside a scope; and `process.report.excludeEnv`, which is set for the
 * whole process.
 */

import { EnvironmentScope, type ScopeKeys } from './environment-scope.ts';
import { type CurrentScope, createEnvironmentView } from './environment-view.ts';
import {
  AsyncLocalStorage,
  parseEnv,
  readFileSync,
  syncBuiltinESMExports,
  workerThreads,
} from './node-runtime.ts';
import { type ScopeStorage, sealSockets } from './sealed-sockets.ts';

/** The environment of one request, from the start of the handler to the end of the response. */
export type Scope = {
  /** Runs code, including its later asynchronous work, inside the scope. */
  run<T>(code: () => T): T;
  /** Ends the scope. Its variables then read `undefined`, also in code that is still running. */
  end(): void;
};

export type ScopedEnvironment = { open(keys: ScopeKeys): Scope };

/** Stored on `process`, because a bundler may include this module several times in one process. */
const INSTALLED = Symbol.for('userkeys.scoped-environment');

/**
 * Wraps `process.env`. Later calls, also from another copy of this module, return the same object.
 * `import { env } from 'node:process'` sees the view too, even if imported earlier. A reference that code took before
 * (`const { env } = process`) still points to the real environment.
 *
 * @throws TypeError if other code has already made `process.env` non-configurable.
 */
export function installScopedEnvironment(): ScopedEnvironment {
  const found: unknown = Reflect.get(process, INSTALLED);
  if (isScopedEnvironment(found)) return found;

  const storage: ScopeStorage = new AsyncLocalStorage();
  const currentScope = () => storage.getStore();
  wrapEnvironment(currentScope);
  wrapGlobalProcess(currentScope);
  wrapLoadEnvFile(currentScope);
  wrapWorker(currentScope);
  sealSockets(storage);
  excludeEnvironmentFromReports();
  syncBuiltinESMExports();

  const installed: ScopedEnvironment = {
    open(keys) {
      const scope = new EnvironmentScope(keys);
      return { run: (code) => storage.run(scope, code), end: () => scope.end() };
    },
  };
  Object.defineProperty(process, INSTALLED, { value: installed });
  return installed;
}

function wrapEnvironment(currentScope: CurrentScope): void {
  /** Each environment object has its own view. The view of a view is that view. */
  const views = new WeakMap<object, NodeJS.ProcessEnv>();
  const viewOf = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
    const view = views.get(environment) ?? createEnvironmentView(environment, currentScope);
    views.set(environment, view).set(view, view);
    return view;
  };

  let view = viewOf(process.env);
  Object.defineProperty(process, 'env', {
    get: () => view,
    set(replacement: unknown) {
      const scope = currentScope();
      const environment = Object(replacement);
      if (scope === undefined) view = viewOf(environment);
      else if (views.get(environment) === environment) scope.restore();
      else scope.replace(environment, view);
    },
    enumerable: true,
    // If it could be redefined or deleted, one request could remove it for all requests.
    configurable: false,
  });
}

/** `globalThis.process = {…}` inside a scope affects only that scope, like `process.env = {…}`. */
function wrapGlobalProcess(currentScope: CurrentScope): void {
  let real: unknown = process;
  Object.defineProperty(globalThis, 'process', {
    get: () => currentScope()?.process ?? real,
    set(replacement: unknown) {
      const scope = currentScope();
      if (scope === undefined) real = replacement;
      else scope.process = replacement;
    },
    enumerable: false,
    configurable: true,
  });
}

/** Node's own function bypasses `process.env` and writes to the real environment. */
function wrapLoadEnvFile(currentScope: CurrentScope): void {
  const loadEnvFile = process.loadEnvFile;
  process.loadEnvFile = (path = '.env') => {
    if (currentScope() === undefined) return loadEnvFile(path);
    for (const [name, value] of Object.entries(parseEnv(readFileSync(path, 'utf8')))) {
      if (!(name in process.env)) process.env[name] = value;
    }
  };
}

/** In Node a worker copies the real environment, including the operator's keys. Inside a scope it gets the view. */
function wrapWorker(currentScope: CurrentScope): void {
  workerThreads.Worker = new Proxy(workerThreads.Worker, {
    construct(worker, [file, options, ...rest], newTarget) {
      if (currentScope() === undefined) return Reflect.construct(worker, [file, options, ...rest], newTarget);
      const requested: unknown = options?.env;
      const env = requested == null || requested === workerThreads.SHARE_ENV ? process.env : requested;
      return Reflect.construct(worker, [file, { ...options, env }, ...rest], newTarget);
    },
  });
}

/**
 * A diagnostic report of Node contains the real environment, whichever request triggered it. Node before 22.13 cannot
 * exclude the environment.
 */
function excludeEnvironmentFromReports(): void {
  if ('excludeEnv' in process.report) process.report.excludeEnv = true;
}

function isScopedEnvironment(value: unknown): value is ScopedEnvironment {
  return typeof value === 'object' && value !== null && 'open' in value && typeof value.open === 'function';
}
