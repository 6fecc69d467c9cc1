import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';

/** What a front end makes of one answer of the store. `command` is the name of the command, in upper case. */
export type Distort = (result: unknown, command: string) => unknown;

const commands = z.array(z.tuple([z.string()], z.unknown()));
const answers = z.array(z.object({ result: z.unknown() }));

/** A front end of the store's REST protocol that changes the shape of its answers. */
export async function startOddStore(
  store: { readonly url: string; readonly token: string },
  distort: Distort,
) {
  /** Requests in whose answer at least one result was changed. */
  let changedRequests = 0;
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const real = await fetch(store.url + request.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${store.token}`, 'content-type': 'application/json' },
      body,
    });
    const names = commands.parse(JSON.parse(body.toString())).map(([name]) => name.toUpperCase());
    const results = answers.parse(await real.json()).map(({ result }) => result);
    const odd = results.map((result, index) => distort(result, names[index] ?? ''));
    if (JSON.stringify(odd) !== JSON.stringify(results)) changedRequests += 1;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(odd.map((result) => ({ result }))));
  });
  const port = await listen(server);
  return {
    url: `http://${LOOPBACK}:${port}`,
    token: store.token,
    changedRequests: () => changedRequests,
    close: () => closeServer(server),
  };
}
