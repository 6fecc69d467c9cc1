import type { IncomingMessage } from 'node:http';

const HOST = /^[A-Za-z0-9.\-[\]:]+$/;
const BODILESS = new Set(['GET', 'HEAD']);

/**
 * The Web `Request` of an incoming message, or undefined when there is none (no path, a malformed host or
 * header): that is a 400. The URL is `http://<Host><raw target>`, put together as text, so that a target
 * such as `//elsewhere/x` stays a path; what the URL standard itself folds (`..`, `%2e%2e`) is folded here
 * as it is on Vercel. Repeated headers are kept. The body streams; cancelling it does not cut the
 * connection, so that an answer such as 413 still arrives.
 */
export function toWebRequest(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const method = incoming.method ?? 'GET';
  const target = incoming.url ?? '';
  const host = incoming.headers.host ?? '127.0.0.1';
  if (!target.startsWith('/') || !HOST.test(host)) return undefined;
  try {
    const url = new URL(`http://${host}${target}`);
    const headers = headersOf(incoming);
    if (BODILESS.has(method) || !hasBody(incoming)) return new Request(url, { method, headers, signal });
    const streaming: RequestInit & { duplex: 'half' } = { body: bodyOf(incoming), duplex: 'half' };
    return new Request(url, { method, headers, signal, ...streaming });
  } catch {
    return undefined;
  }
}

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

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function headersOf(incoming: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  return headers;
}
