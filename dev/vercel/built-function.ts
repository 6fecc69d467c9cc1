/** The process of one built function: `node built-function.ts <handler>`. It tells its parent the port. */
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { createWebServer } from '../http/create-web-server.ts';
import { listen } from '../http/listen.ts';

const [, , file = ''] = argv;
const exported: Readonly<Record<string, unknown>> = await import(pathToFileURL(file).href);

/** As the platform does: the export named after the method, and 405 where there is none. */
const server = createWebServer(async (request) => {
  const handler = exported[request.method];
  if (typeof handler !== 'function') return new Response(undefined, { status: 405 });
  const response: unknown = await handler(request);
  if (!(response instanceof Response)) throw new TypeError('The function did not return a Response.');
  return response;
}, console.error);

process.send?.(await listen(server));
process.on('disconnect', () => process.exit());
