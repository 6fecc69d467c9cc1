import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { NodeRequest, sendNodeResponse } from 'srvx/node';

export type WebHandler = (request: Request) => Response | Promise<Response>;

const HOST = /^[A-Za-z0-9.\-[\]:]+$/;
/** How long a client may go on sending a request that has been answered. */
const UPLOAD_GRACE_MS = 5_000;

/**
 * A Node HTTP server (not yet listening) around a Web handler. srvx translates requests and responses; added here is
 * what it does not do, see docs/decisions/9-srvx-on-node.md:
 *
 * - A target that is not a path, or a malformed `Host`, is answered 400.
 * - A handler may stop reading a body. Its answer still arrives, and so does the connection's next request.
 * - A response's headers are sent before its first chunk is there.
 *
 * `request.signal` aborts when the client has left before the answer was complete. A handler that throws is answered
 * 500 without the error's text, which is given to `onError`.
 */
export function createWebServer(handle: WebHandler, onError: (error: unknown) => void = () => {}): Server {
  return createServer(async (incoming, outgoing) => {
    try {
      const request = toWebRequest(incoming, outgoing);
      const response = request ? await answer(handle, request, onError) : malformed();
      const isUploading = response.body !== null && !incoming.complete;
      const sent = sendNodeResponse(outgoing, isUploading ? afterUpload(response, incoming) : response);
      outgoing.flushHeaders();
      await sent;
      if (!incoming.readableEnded) incoming.resume();
    } catch {
      outgoing.destroy();
    }
  });
}

/** Undefined when there is none: no path, a malformed host, header or method. */
function toWebRequest(incoming: IncomingMessage, outgoing: ServerResponse): Request | undefined {
  if (!incoming.url?.startsWith('/') || !HOST.test(incoming.headers.host ?? '127.0.0.1')) return undefined;
  try {
    const { url, method, headers, signal } = new NodeRequest({ req: incoming, res: outgoing });
    if (method === 'GET' || method === 'HEAD' || !hasBody(incoming)) {
      return new Request(url, { method, headers, signal });
    }
    const streaming: RequestInit & { duplex: 'half' } = { body: bodyOf(incoming), duplex: 'half' };
    return new Request(url, { method, headers, signal, ...streaming });
  } catch {
    return undefined;
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Unlike the body of srvx, cancelling this one does not cut the connection. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = incoming.iterator({ destroyOnReturn: false });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return?.();
      },
    },
    { highWaterMark: 0 },
  );
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

/**
 * The same response, whose end waits for the rest of the request. A connection that is closed while its client is
 * still sending is reset, and an answer such as 413 is lost with it.
 */
function afterUpload(response: Response, incoming: IncomingMessage): Response {
  const flush = () =>
    Promise.race([finished(incoming.resume()), delay(UPLOAD_GRACE_MS, undefined, { ref: false })]);
  return new Response(response.body?.pipeThrough(new TransformStream({ flush })), response);
}
