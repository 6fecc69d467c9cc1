import { readStaticFile } from '../../../dev/host/static-files.ts';
import { createWebServer } from '../../../dev/http/create-web-server.ts';
import { closeServer, LOOPBACK, listen } from '../../../dev/http/listen.ts';

export type HostApp = { readonly url: string; close(): Promise<void> };

/** Starts a third-party app on its own origin. It serves the responses of `answer`, then the files of a directory. */
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
