import { pathToFileURL } from 'node:url';
import type { WebHandler } from '../http/create-web-server.ts';
import { allowLocalIssuer, issuerMetadata } from './issuer-metadata.ts';
import { findRoute, type Route, readRoutes } from './routes.ts';
import { readStaticFile } from './static-files.ts';
import { readVercelConfig } from './vercel-config.ts';

const POLICY = 'content-security-policy';

export type Host = {
  /** Answers with a file of the static page, or with the function of the path. */
  readonly handle: WebHandler;
  /** Loads every function now. A function that does not load is given to `onLoadFailure`, and answers 500. */
  load(): Promise<void>;
};

type LoadFailure = (file: string, error: unknown) => void;

/**
 * Serves a project as Vercel does. The path is looked up, in this order, as a static file or a function of that exact
 * name; through each rewrite of `vercel.json`; as a function with a `[param]`. The first match is used. The function
 * gets the request with the address that the caller used. Headers of `vercel.json` are added to every response that
 * does not have them.
 */
export async function createHost(root: string, onLoadFailure: LoadFailure = () => {}): Promise<Host> {
  const routes = await readRoutes(root);
  const config = await readVercelConfig(root);

  async function respond(request: Request, pathname: string): Promise<Response> {
    let path = pathname;
    for (const rewrite of [(same: string) => same, ...config.rewrites]) {
      const destination = rewrite(path);
      if (destination === undefined) continue;
      path = destination;
      const found = await findExact(request, path);
      if (found) return found;
    }
    const route = findRoute(routes.dynamic, path);
    if (route) return callFunction(route, request, onLoadFailure);
    return issuerMetadata(request) ?? nothingHere(pathname);
  }

  async function findExact(request: Request, path: string): Promise<Response | undefined> {
    const route = findRoute(routes.exact, path);
    if (route) return callFunction(route, request, onLoadFailure);
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    return isReading ? readStaticFile(config.outputDirectory, path) : undefined;
  }

  return {
    async handle(request) {
      const { pathname } = new URL(request.url);
      const headers = config.headersFor(pathname);
      const policy = headers.get(POLICY);
      if (policy !== null) headers.set(POLICY, allowLocalIssuer(policy));
      return addHeaders(await respond(request, pathname), headers);
    },
    async load() {
      for (const { file } of [...routes.exact, ...routes.dynamic]) {
        await loadFunction(file).catch((error) => onLoadFailure(file, error));
      }
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

/** The headers of a response that was fetched cannot be changed, hence a new one. */
function addHeaders(response: Response, added: Headers): Response {
  const missing = [...added].filter(([name]) => !response.headers.has(name));
  if (missing.length === 0) return response;
  const changed = new Response(response.body, response);
  for (const [name, value] of missing) changed.headers.set(name, value);
  return changed;
}

function nothingHere(pathname: string): Response {
  return pathname === '/'
    ? text(200, 'userkeys is running. The functions are under /api: try /api/health and /api/providers.')
    : text(404, 'There is nothing at this address. The functions are under /api.');
}

function text(status: number, value: string): Response {
  return new Response(`${value}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });
}
