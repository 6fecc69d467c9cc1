/**
 * The real functions in a process of their own, to be killed, with the environment of that process. Sends its address
 * to the process that forked it.
 */
import { createWebServer } from '../../dev/http/create-web-server.ts';
import { LOOPBACK, listen } from '../../dev/http/listen.ts';
import { serve } from '../../lib/serve.ts';

const { GET: handle } = serve();
process.send?.(`http://${LOOPBACK}:${await listen(createWebServer(handle))}`);
process.once('disconnect', () => process.exit());
