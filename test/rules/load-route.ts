/**
 * Serves one request of one route in a process of its own and writes the files that were loaded for it to standard
 * output. Its arguments are the route's path, the method, the address, the headers and the body.
 */
import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';

const loaded = new Set<string>();
registerHooks({
  load(url, context, nextLoad) {
    if (url.startsWith('file:')) loaded.add(url);
    return nextLoad(url, context);
  },
});

const [path = '', method = 'GET', address = '', headers = '{}', body] = process.argv.slice(2);
const { serve } = await import('../../lib/serve.ts');
const { routes } = await import('../../lib/routes.ts');
const entry = routes.find((route) => route.path === path);
if (entry === undefined) throw new Error(`There is no route ${path}.`);

const request = new Request(address, { method, headers: JSON.parse(headers), body: body ?? null });
const response = await serve(entry.path).GET(request);
await response.arrayBuffer();
// Writes that follow the response are part of the call: the process ends when they are done.
process.on('exit', () => writeSync(1, JSON.stringify({ status: response.status, files: [...loaded] })));
