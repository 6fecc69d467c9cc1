/**
 * Puts the view in the place of `process.env`, once in a process, and opens scopes in it. This is the only
 * module that changes something global, and this list is all of it: `process.env`, `globalThis.process`,
 * `process.loadEnvFile` and `worker_threads.Worker`, which outside a scope do what Node does; and
 * `process.report.excludeEnv`, which is set for the whole process.
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

/** The environment of one request, from its first line to the end of its answer. */
export type Scope = {
  /** Runs code, and everything that comes of it later, inside the scope. */
  run<T>(code: () => T): T;
  /** From here on the scope's variables read `undefined`, in code that is still running too. */
  end(): void;
};

export type ScopedEnvironment = { open(keys: ScopeKeys): Scope };

/** On `process`, because a bundler may put this module into several functions of one process. */
const INSTALLED = Symbol.for('userkeys.scoped-environment');

/**
 * Wraps `process.env`; a second call, also from another copy of this module, gives the same one.
 * `import { env } from 'node:process'` then sees the view too, whenever it was imported. A value that was
 * taken out of `process` before (`const { env } = process`) is the real environment and stays it.
 *
 * @throws TypeError when something else has already locked `process.env`.
 */
export function installScopedEnvironment(): ScopedEnvironment {
  const found: unknown = Reflect.get(process, INSTALLED);
  if (isScopedEnvironment(found)) return found;

  const storage = new AsyncLocalStorage<EnvironmentScope>();
  const currentScope = () => storage.getStore();
  wrapEnvironment(currentScope);
  wrapGlobalProcess(currentScope);
  wrapLoadEnvFile(currentScope);
  wrapWorker(currentScope);
  keepOutOfReports();
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
  /** Each environment object has a view of its own; a view is its own view. */
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
      else scope.replace(environment);
    },
    enumerable: true,
    // What could be redefined or deleted, one request could take away from all.
    configurable: false,
  });
}

/** `globalThis.process = {…}` inside a scope is that scope's own affair, like `process.env = {…}`. */
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

/** Node's own writes past `process.env`, straight into the real environment. */
function wrapLoadEnvFile(currentScope: CurrentScope): void {
  const loadEnvFile = process.loadEnvFile;
  process.loadEnvFile = (path = '.env') => {
    if (currentScope() === undefined) return loadEnvFile(path);
    for (const [name, value] of Object.entries(parseEnv(readFileSync(path, 'utf8')))) {
      if (!(name in process.env)) process.env[name] = value;
    }
  };
}

/** A worker copies the real environment below JavaScript, the operator's keys in it; here it copies the view. */
function wrapWorker(currentScope: CurrentScope): void {
  workerThreads.Worker = new Proxy(workerThreads.Worker, {
    construct(worker, [file, options, ...rest], newTarget) {
      if (currentScope() === undefined) return Reflect.construct(worker, [file, options, ...rest], newTarget);
      const asked: unknown = options?.env;
      const env = asked == null || asked === workerThreads.SHARE_ENV ? process.env : asked;
      return Reflect.construct(worker, [file, { ...options, env }, ...rest], newTarget);
    },
  });
}

/**
 * Node writes a diagnostic report below JavaScript, with the real environment in it, whoever's request it was that
 * failed or asked for it. Node before 22.13 cannot leave the environment out.
 */
function keepOutOfReports(): void {
  if ('excludeEnv' in process.report) process.report.excludeEnv = true;
}

function isScopedEnvironment(value: unknown): value is ScopedEnvironment {
  return typeof value === 'object' && value !== null && 'open' in value && typeof value.open === 'function';
}
