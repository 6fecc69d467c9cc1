/**
 * A gateway that only passes on: a Web `Request` in, a Web `Response` out, no verification and no key. What it costs is
 * what any gateway with this interface costs.
 *
 *     bare.ts fetch|undici <port>
 */
import { Readable } from 'node:stream';
import { request as undiciRequest } from 'undici';
import { createWebServer, type WebHandler } from '../../dev/http/create-web-server.ts';
import { listen } from '../../dev/http/listen.ts';

const provider = process.env.OPENAI_BASE_URL ?? '';
const [client, port] = process.argv.slice(2);

function requestHeaders({ headers }: Request): Record<string, string> {
  return {
    authorization: headers.get('authorization') ?? '',
    'content-type': headers.get('content-type') ?? '',
    'accept-encoding': 'identity',
  };
}

const byFetch: WebHandler = async (request) => {
  const { method, body } = request;
  const init: RequestInit & { duplex: 'half' } = {
    method,
    headers: requestHeaders(request),
    body,
    duplex: 'half',
  };
  const answer = await fetch(provider + new URL(request.url).pathname, init);
  return new Response(answer.body, { status: answer.status, headers: answer.headers });
};

const byUndici: WebHandler = async (request) => {
  const { statusCode, headers, body } = await undiciRequest(provider + new URL(request.url).pathname, {
    method: 'POST',
    headers: requestHeaders(request),
    body: request.body === null ? null : Readable.from(request.body),
  });
  const type = String(headers['content-type']);
  return new Response(toWebStream(body), { status: statusCode, headers: { 'content-type': type } });
};

function toWebStream(body: Readable): ReadableStream<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => void body.destroy(),
    },
    { highWaterMark: 0 },
  );
}

await listen(createWebServer(client === 'fetch' ? byFetch : byUndici), Number(port));
process.once('disconnect', () => process.exit());
