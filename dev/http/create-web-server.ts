import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { toWebRequest } from './to-web-request.ts';
import { writeWebResponse } from './write-web-response.ts';

export type WebHandler = (request: Request) => Response | Promise<Response>;

/**
 * A Node HTTP server (not yet listening) around a Web handler. `request.signal` aborts when the client has
 * left before the answer was complete. A handler that throws is answered 500 without the error's text,
 * which is given to `onError`.
 */
export function createWebServer(handle: WebHandler, onError: (error: unknown) => void = () => {}): Server {
  return createServer(async (incoming, outgoing) => {
    const request = toWebRequest(incoming, departure(outgoing));
    const response = request ? await answer(handle, request, onError) : malformed();
    await writeWebResponse(response, outgoing);
    drainUnread(incoming);
  });
}

function departure(outgoing: ServerResponse): AbortSignal {
  const controller = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) controller.abort();
  });
  return controller.signal;
}

async function answer(
  handle: WebHandler,
  request: Request,
  onError: (error: unknown) => void,
): Promise<Response> {
  try {
    return await handle(request);
  } catch (error) {
    onError(error);
    return new Response('The function threw. The terminal shows where.\n', { status: 500 });
  }
}

function malformed(): Response {
  return new Response('Malformed request.\n', { status: 400 });
}

/** What the handler left of the body is read off, so that the connection can carry the next request. */
function drainUnread(incoming: IncomingMessage): void {
  if (!incoming.readableEnded && !incoming.destroyed) incoming.resume();
}
