/**
 * What the functions in api/ stand on. A build compiles this file to one bundle, lib/serve.js, which these functions load
 * instead; see rolldown.config.ts. A function of one's own imports lib/app.ts.
 */
import { app, BASE_PATH } from './app.ts';
import { createRouter, type FunctionHandlers, forEveryMethod } from './http/router.ts';
import { routes } from './routes.ts';

/** The handlers of a function file: every route of lib/routes.ts, or only those of the given paths. */
export function serve(...paths: readonly (typeof routes)[number]['path'][]): FunctionHandlers {
  const table = routes.filter(({ path }) => paths.length === 0 || paths.includes(path));
  return forEveryMethod(createRouter(app, table, BASE_PATH));
}
