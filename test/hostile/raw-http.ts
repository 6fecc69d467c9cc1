/** An HTTP client that sends exactly the bytes it is given, and reads every answer on the connection. */
import { connect } from 'node:net';
import { LOOPBACK } from '../../dev/http/listen.ts';

export type RawAnswer = {
  readonly status: number;
  /** Names in lower case, as received, including duplicates. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The first value of a header. */
  header(name: string): string | undefined;
  readonly body: Buffer;
  readonly text: string;
  /** The status line and headers as received. */
  readonly head: string;
  /** The whole body arrived. */
  readonly isComplete: boolean;
};

export type RawExchange = {
  /** The answers in order, without interim (1xx) ones. Empty: the server closed the connection without an answer. */
  readonly answers: readonly RawAnswer[];
  /** The client gave up waiting. */
  readonly isTimeout: boolean;
  readonly ms: number;
};

/** How long the client waits for the server. Longer than any deadline in these suites. */
const PATIENCE_MS = 20_000;

export type SendOptions = {
  /** Default: the answer to `HEAD` and to no other request has no body. */
  readonly isHead?: boolean;
  /** After an answer, wait this long for another one on the same connection. Default: do not wait. */
  readonly lingerMs?: number;
  /** Close the connection this long after the bytes were sent. */
  readonly leaveAfterMs?: number;
  /** Stop reading after this many bytes, and close. */
  readonly maxBytes?: number;
};

/** Sends the pieces one after the other, with `pauseMs` between them. */
export async function sendRaw(
  port: number,
  pieces: readonly (string | Uint8Array)[],
  options: SendOptions & { readonly pauseMs?: number } = {},
): Promise<RawExchange> {
  const started = performance.now();
  const {
    isHead = false,
    lingerMs,
    leaveAfterMs,
    maxBytes = Number.POSITIVE_INFINITY,
    pauseMs = 0,
  } = options;
  const chunks: Buffer[] = [];
  let length = 0;
  let isTimeout = false;
  await new Promise<void>((resolve) => {
    const socket = connect({ port, host: LOOPBACK, noDelay: true });
    const giveUp = setTimeout(() => {
      isTimeout = leaveAfterMs === undefined;
      socket.destroy();
    }, leaveAfterMs ?? PATIENCE_MS);
    let linger: NodeJS.Timeout | undefined;
    socket.on('close', () => {
      clearTimeout(giveUp);
      clearTimeout(linger);
      resolve();
    });
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxBytes) {
        socket.destroy();
        return;
      }
      if (length > LONG_BYTES && !mayBeTheEnd(chunks)) return;
      const last = parseAnswers(Buffer.concat(chunks), isHead, false).at(-1);
      if (!last?.isComplete) return;
      clearTimeout(linger);
      if (lingerMs === undefined) socket.destroy();
      else linger = setTimeout(() => socket.destroy(), lingerMs);
    });
    socket.on('connect', async () => {
      for (const [index, piece] of pieces.entries()) {
        if (index > 0 && pauseMs > 0) await new Promise((next) => setTimeout(next, pauseMs));
        if (socket.destroyed) return;
        socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
      }
    });
  });
  const answers = parseAnswers(Buffer.concat(chunks), isHead, true);
  return { answers, isTimeout, ms: performance.now() - started };
}

/** An answer that is longer is parsed only where it may end: parsing it with every chunk would take long. */
const LONG_BYTES = 256 * 1024;

/** Whether the last chunk of a body may have arrived. One with a declared length may end anywhere. */
function mayBeTheEnd(chunks: readonly Buffer[]): boolean {
  const isChunked = /^transfer-encoding: *chunked/im.test(chunks[0]?.toString('latin1', 0, 8_192) ?? '');
  return !isChunked || Buffer.concat(chunks.slice(-2)).toString('latin1').endsWith('0\r\n\r\n');
}

function parseAnswers(bytes: Buffer, isHead: boolean, isClosed: boolean): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const headEnd = bytes.indexOf('\r\n\r\n', at);
    if (headEnd === -1) break;
    const head = bytes.toString('latin1', at, headEnd);
    const [statusLine = '', ...lines] = head.split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1] ?? Number.NaN);
    const headers = lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    });
    const header = (name: string) => headers.find(([key]) => key === name)?.[1];
    at = headEnd + 4;
    if (status < 200) continue;
    const { body, end, isComplete } = readBody(bytes, at, status, isHead, header, isClosed);
    at = end;
    answers.push({ status, headers, header, body, text: body.toString(), head, isComplete });
    if (!isComplete) break;
  }
  return answers;
}

function readBody(
  bytes: Buffer,
  start: number,
  status: number,
  isHead: boolean,
  header: (name: string) => string | undefined,
  isClosed: boolean,
): { readonly body: Buffer; readonly end: number; readonly isComplete: boolean } {
  if (isHead || status === 204 || status === 304)
    return { body: Buffer.alloc(0), end: start, isComplete: true };
  if (/chunked/i.test(header('transfer-encoding') ?? '')) return readChunks(bytes, start);
  const declared = header('content-length');
  if (declared === undefined) return { body: bytes.subarray(start), end: bytes.length, isComplete: isClosed };
  const end = start + Number(declared);
  return {
    body: bytes.subarray(start, end),
    end: Math.min(end, bytes.length),
    isComplete: end <= bytes.length,
  };
}

function readChunks(bytes: Buffer, start: number) {
  const parts: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = lineEnd === -1 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (Number.isNaN(size) || end > bytes.length) {
      return { body: Buffer.concat(parts), end: bytes.length, isComplete: false };
    }
    if (size === 0) return { body: Buffer.concat(parts), end, isComplete: true };
    parts.push(bytes.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}
