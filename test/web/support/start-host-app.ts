import { readStaticFile } from '../../../dev/host/static-files.ts';
import { createWebServer } from '../../../dev/http/create-web-server.ts';
import { closeServer, LOOPBACK, listen } from '../../../dev/http/listen.ts';

export type HostApp = { readonly url: string; close(): Promise<void> };

/** An app of somebody's, on an origin of its own: the files of a directory, and what `answer` has for a request. */
export async function startHostApp(
  directory: string,
  answer: (request: Request) => Response | undefined = () => undefined,
): Promise<HostApp> {
  const server = createWebServer(async (request) => {
    const { pathname } = new URL(request.url);
    const response = answer(request) ?? (await readStaticFile(directory, pathname));
    return response ?? new Response('Not found.\n', { status: 404 });
  });
  const url = `http://${LOOPBACK}:${await listen(server)}`;
  return { url, close: () => closeServer(server) };
}
