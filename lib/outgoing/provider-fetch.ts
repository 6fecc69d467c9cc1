/** A `fetch` on top of `Send`, for client libraries that need one. */
import { JsonSize } from '../json-size.ts';
import {
  MAX_JSON_ANSWER_BYTES,
  MAX_JSON_ANSWER_VALUES,
  MAX_PROVIDER_ERROR_BYTES,
  MAX_PROVIDER_EVENT_BYTES,
} from '../limits.ts';
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
 * Limits the size of the body, because a client library reads all of it into memory, and the number of values in it,
 * because parsing them holds up every other call. Reading fails with SendError `unusable` at the limit. An event stream
 * may have any length, but each event is limited, because a client library buffers an event until it is complete.
 */
export function limitAnswerBody({ status, headers, body }: Answer): ReadableStream<Uint8Array> {
  if (status >= 400) return limitSize(MAX_PROVIDER_ERROR_BYTES, body, measureTotal());
  const isEvents = /^\s*text\/event-stream\b/i.test(headers.get('content-type') ?? '');
  return isEvents
    ? limitSize(MAX_PROVIDER_EVENT_BYTES, body, measureCurrentEvent())
    : limitSize(MAX_JSON_ANSWER_BYTES, body, measureTotal());
}

/** Takes the next chunk and returns how much a client library may have buffered by then. */
type Measure = (chunk: Uint8Array) => { readonly bytes: number; readonly values: number };

function limitSize(
  maxBytes: number,
  body: ReadableStream<Uint8Array>,
  measure: Measure,
): ReadableStream<Uint8Array> {
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        const { bytes, values } = measure(chunk);
        const isTooLarge = bytes > maxBytes || values > MAX_JSON_ANSWER_VALUES;
        if (isTooLarge) controller.error(new SendError('unusable'));
        else controller.enqueue(chunk);
      },
    }),
  );
}

function measureTotal(): Measure {
  const size = new JsonSize();
  let bytes = 0;
  return (chunk) => {
    bytes += chunk.length;
    return { bytes, values: size.feed(chunk).values };
  };
}

/** The first two characters of two consecutive line ends (HTML standard, section 9.2.6). A blank line ends an event. */
const BLANK_LINES = ['\n\n', '\n\r', '\r\r'];

/**
 * Measures from the end of the last event that ended in an earlier chunk. The whole current chunk is measured too, which
 * is imprecise by at most one chunk: a small part of the limit.
 */
function measureCurrentEvent(): Measure {
  const decoder = new TextDecoder();
  let eventBytes = 0;
  let size = new JsonSize();
  let lastCharacter = '';
  return (chunk) => {
    const buffered = { bytes: eventBytes + chunk.length, values: size.feed(chunk).values };
    const text = lastCharacter + decoder.decode(chunk);
    lastCharacter = text.slice(-1);
    const end = Math.max(...BLANK_LINES.map((line) => text.lastIndexOf(line)));
    eventBytes = end === -1 ? buffered.bytes : text.length - (end + 2);
    if (end !== -1) size = new JsonSize().feed(new TextEncoder().encode(text.slice(end + 2)));
    return buffered;
  };
}
