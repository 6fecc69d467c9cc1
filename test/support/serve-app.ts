import type { App } from '../../lib/http/call.ts';
import { createRouter, forEveryMethod } from '../../lib/http/router.ts';
import { routes } from '../../lib/routes.ts';
import type { HandlerModule } from './call.ts';

/** Serves every route of an app that the test composed, in the form of a function file. */
export function serveApp(app: App): HandlerModule {
  return forEveryMethod(createRouter(async () => app, routes, app.basePath));
}
