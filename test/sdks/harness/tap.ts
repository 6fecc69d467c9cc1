/** A wire tap between an SDK and the gateway: what passes is passed on as it is, and written down. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { closeServer, LOOPBACK, listen } from '../../../dev/http/listen.ts';

export type Exchange = {
  readonly method: string;
  /** The raw request target. */
  readonly target: string;
  readonly requestHeaders: Readonly<Record<string, string | string[] | undefined>>;
  status: number;
  /** Names and values in turn. */
  answerHeaders: readonly string[];
  answerBody(): Buffer;
};

export type Tap = {
  readonly url: string;
  /** Every exchange, in order of arrival. */
  readonly exchanges: Exchange[];
  close(): Promise<void>;
};

/** Relays to `upstream`. Callers see the tap as the gateway: the `Host` they send stays. */
export async function startTap(upstream: string): Promise<Tap> {
  const exchanges: Exchange[] = [];
  const { port } = new URL(upstream);

  const server = createServer((incoming, outgoing) => {
    const body: Buffer[] = [];
    const exchange: Exchange = {
      method: incoming.method ?? '',
      target: incoming.url ?? '',
      requestHeaders: incoming.headers,
      status: 0,
      answerHeaders: [],
      answerBody: () => Buffer.concat(body),
    };
    exchanges.push(exchange);
    relay(incoming, outgoing, Number(port), (answer) => {
      exchange.status = answer.statusCode ?? 0;
      exchange.answerHeaders = answer.rawHeaders;
      answer.on('data', (chunk: Buffer) => body.push(chunk));
    });
  });

  return {
    url: `http://${LOOPBACK}:${await listen(server)}`,
    exchanges,
    close: () => closeServer(server),
  };
}

function relay(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  port: number,
  onAnswer: (answer: IncomingMessage) => void,
): void {
  const { method, url: path, rawHeaders: headers } = incoming;
  const upward = request({ host: LOOPBACK, port, method, path, headers, setHost: false });
  outgoing.on('close', () => upward.destroy());
  // An upstream that has answered may stop listening to the rest of the request, such as after a 413.
  upward.on('close', () => incoming.resume());
  upward.on('error', () => {
    if (!outgoing.headersSent) outgoing.destroy();
  });
  upward.on('response', async (answer) => {
    onAnswer(answer);
    // Answered before the request has been read: what is left of it would be taken for the next one.
    if (!incoming.complete) outgoing.shouldKeepAlive = false;
    outgoing.writeHead(answer.statusCode ?? 502, withoutConnection(answer.rawHeaders));
    outgoing.flushHeaders();
    answer.on('error', () => outgoing.destroy());
    answer.on('data', async (chunk: Buffer) => {
      if (outgoing.write(chunk)) return;
      answer.pause();
      await once(outgoing, 'drain');
      answer.resume();
    });
    answer.on('end', async () => {
      // Closed while the caller still writes, the connection would be reset, and the answer lost with it.
      if (!incoming.complete) await once(incoming.resume(), 'close');
      outgoing.end();
    });
    answer.on('aborted', () => outgoing.destroy());
  });
  incoming.pipe(upward);
}

/** Hop-by-hop headers are the tap's own. */
function withoutConnection(rawHeaders: readonly string[]): string[] {
  return rawHeaders.flatMap((name, index) => {
    const isName = index % 2 === 0;
    const hop = /^(connection|keep-alive|transfer-encoding)$/i;
    return isName && !hop.test(name) ? [name, rawHeaders[index + 1] ?? ''] : [];
  });
}
