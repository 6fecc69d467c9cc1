/**
 * The gateway of this project, behind the same adapter as the bare pass-through.
 *
 *     userkeys.ts <module of the function> <port>
 */
import { pathToFileURL } from 'node:url';
import { createWebServer } from '../../dev/http/create-web-server.ts';
import { listen } from '../../dev/http/listen.ts';

const [file = '', port] = process.argv.slice(2);
const { POST } = await import(pathToFileURL(file).href);

await listen(createWebServer(POST, console.error), Number(port));
process.once('disconnect', () => process.exit());
