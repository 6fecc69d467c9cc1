/**
 * A function of this project, such as the gateway, behind the same adapter as the bare pass-through.
 *
 *     userkeys.ts <module of the function> <port>
 */
import { pathToFileURL } from 'node:url';
import { createWebServer, type WebHandler } from '../../dev/http/create-web-server.ts';
import { listen } from '../../dev/http/listen.ts';

const [file = '', port] = process.argv.slice(2);
const methods: Readonly<Record<string, WebHandler | undefined>> = await import(pathToFileURL(file).href);
const handle: WebHandler = (request) =>
  methods[request.method]?.(request) ?? new Response(null, { status: 405 });

await listen(createWebServer(handle, console.error), Number(port));
process.once('disconnect', () => process.exit());
