/** A `fetch` on top of `Send`, for client libraries that need one. */
import { MAX_JSON_ANSWER_BYTES, MAX_PROVIDER_ERROR_BYTES, MAX_PROVIDER_EVENT_BYTES } from '../limits.ts';
import { type Answer, type Send, SendError } from './send.ts';

/**
 * Sends only to URLs under `base` and rejects all others. Redirects are returned, not followed. Reading the body fails
 * if it is larger than `limitAnswerBody` allows. A status outside the range of HTTP throws SendError `unusable`.
 */
export function createProviderFetch(
  send: Send,
  base: string,
  timeouts: { readonly answerTimeoutMs: number; readonly idleTimeoutMs: number },
): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    if (!request.url.startsWith(`${base}/`)) throw new TypeError('URL outside the provider');
    const answer = await send({
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(request.headers),
      body: request.body === null ? undefined : new Uint8Array(await request.arrayBuffer()),
      signal: request.signal,
      ...timeouts,
    });
    const { status, headers } = answer;
    if (status < 200 || status > 599) {
      await answer.body.cancel();
      throw new SendError('unusable');
    }
    const hasNoBody = [204, 205, 304].includes(status);
    return new Response(hasNoBody ? null : limitAnswerBody(answer), { status, headers });
  };
}

/**
 * Limits the size of the body, because a client library reads all of it into memory. Reading fails with SendError
 * `unusable` at the limit. An event stream may have any length, but each event is limited, because a client library
 * buffers an event until it is complete.
 */
export function limitAnswerBody({ status, headers, body }: Answer): ReadableStream<Uint8Array> {
  if (status >= 400) return limitBytes(MAX_PROVIDER_ERROR_BYTES, body, countTotal());
  const isEvents = /^\s*text\/event-stream\b/i.test(headers.get('content-type') ?? '');
  return isEvents
    ? limitBytes(MAX_PROVIDER_EVENT_BYTES, body, countCurrentEvent())
    : limitBytes(MAX_JSON_ANSWER_BYTES, body, countTotal());
}

/** Takes the next chunk and returns how many bytes a client library may have buffered by then. */
type CountBytes = (chunk: Uint8Array) => number;

function limitBytes(
  maxBytes: number,
  body: ReadableStream<Uint8Array>,
  count: CountBytes,
): ReadableStream<Uint8Array> {
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        if (count(chunk) > maxBytes) controller.error(new SendError('unusable'));
        else controller.enqueue(chunk);
      },
    }),
  );
}

function countTotal(): CountBytes {
  let total = 0;
  return (chunk) => {
    total += chunk.length;
    return total;
  };
}

/** The first two characters of two consecutive line ends (HTML standard, section 9.2.6). A blank line ends an event. */
const BLANK_LINES = ['\n\n', '\n\r', '\r\r'];

/**
 * Counts from the end of the last event that ended in an earlier chunk. The whole current chunk is counted too, which
 * is imprecise by at most one chunk: a small part of the limit.
 */
function countCurrentEvent(): CountBytes {
  const decoder = new TextDecoder();
  let eventBytes = 0;
  let lastCharacter = '';
  return (chunk) => {
    const bufferedBytes = eventBytes + chunk.length;
    const text = lastCharacter + decoder.decode(chunk);
    lastCharacter = text.slice(-1);
    const end = Math.max(...BLANK_LINES.map((line) => text.lastIndexOf(line)));
    eventBytes = end === -1 ? bufferedBytes : text.length - (end + 2);
    return bufferedBytes;
  };
}
