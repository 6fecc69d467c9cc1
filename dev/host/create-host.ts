import { pathToFileURL } from 'node:url';
import type { WebHandler } from '../http/create-web-server.ts';
import { issuerMetadata } from './issuer-metadata.ts';
import { findRoute, type Route, readRoutes } from './routes.ts';
import { readStaticFile } from './static-files.ts';
import { readVercelConfig } from './vercel-config.ts';

export type Host = {
  /** Answers with a file of the static page, or with the function the path leads to. */
  readonly handle: WebHandler;
  /** Loads every function now. What does not load is told to `onLoadFailure`, and answers 500. */
  load(): Promise<void>;
};

type LoadFailure = (file: string, error: unknown) => void;

/**
 * Runs the functions of `<root>/api` as Vercel would: one file a function, `[param]` segments, the rewrites of
 * `vercel.json`, one exported function a method, Web `Request` in, Web `Response` out. The function gets
 * the request as it came, with the address the caller used.
 */
export async function createHost(root: string, onLoadFailure: LoadFailure = () => {}): Promise<Host> {
  const routes = await readRoutes(root);
  const config = await readVercelConfig(root);

  function findFunction(pathname: string): Route | undefined {
    const direct = findRoute(routes, pathname);
    if (direct) return direct;
    const destination = config.rewrite(pathname);
    return destination === undefined ? undefined : findRoute(routes, destination.split('?')[0] ?? '');
  }

  return {
    async handle(request) {
      const { pathname } = new URL(request.url);
      const route = findFunction(pathname);
      if (route) return callFunction(route, request, onLoadFailure);
      if (!isReading(request)) return welcome(pathname);
      const file = await readStaticFile(config.outputDirectory, pathname);
      return file ?? issuerMetadata(request) ?? welcome(pathname);
    },
    async load() {
      for (const { file } of routes) await loadFunction(file).catch((error) => onLoadFailure(file, error));
    },
  };
}

async function loadFunction(file: string): Promise<object> {
  const module: unknown = await import(pathToFileURL(file).href);
  return typeof module === 'object' && module !== null ? module : {};
}

async function callFunction(route: Route, request: Request, onLoadFailure: LoadFailure): Promise<Response> {
  let module: object;
  try {
    module = await loadFunction(route.file);
  } catch (error) {
    onLoadFailure(route.file, error);
    return text(500, 'This function does not load. The terminal shows why.');
  }
  const method: unknown = Reflect.get(module, request.method);
  if (typeof method !== 'function') return text(405, 'This function does not answer that method.');
  const response: unknown = await method(request);
  if (response instanceof Response) return response;
  throw new TypeError(`${request.method} of ${route.file} did not return a Response.`);
}

function isReading({ method }: Request): boolean {
  return method === 'GET' || method === 'HEAD';
}

function welcome(pathname: string): Response {
  return pathname === '/'
    ? text(200, 'userkeys is running. The functions are under /api: try /api/health and /api/providers.')
    : text(404, 'There is nothing at this address. The functions are under /api.');
}

function text(status: number, value: string): Response {
  return new Response(`${value}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });
}
