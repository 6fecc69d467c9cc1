/** A `fetch` on top of `Send`, for client libraries that need one. */
import { JsonSize } from '../json-size.ts';
import {
  MAX_JSON_ANSWER_BYTES,
  MAX_JSON_ANSWER_VALUES,
  MAX_PROVIDER_ERROR_BYTES,
  MAX_PROVIDER_EVENT_BYTES,
} from '../limits.ts';
import { toStream, watchBody } from './body.ts';
import { EventEnds } from './event-stream.ts';
import { type Answer, type Body, type Send, SendError } from './send.ts';

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
    return new Response(hasNoBody ? null : toStream(limitAnswerBody(answer)), { status, headers });
  };
}

/**
 * Limits the size of the body, because a client library reads all of it into memory, and the number of values in it,
 * because parsing them holds up every other call. Reading fails with SendError `unusable` at the limit. An event stream
 * may have any length, but each event is limited, because a client library buffers an event until it is complete.
 */
export function limitAnswerBody({ status, headers, body }: Answer): Body {
  if (status >= 400) return limitSize(MAX_PROVIDER_ERROR_BYTES, body, measureTotal());
  const isEvents = /^\s*text\/event-stream\b/i.test(headers.get('content-type') ?? '');
  return isEvents
    ? limitSize(MAX_PROVIDER_EVENT_BYTES, body, measureCurrentEvent())
    : limitSize(MAX_JSON_ANSWER_BYTES, body, measureTotal());
}

/** Takes the next chunk and returns how much a client library may have buffered by then. */
type Measure = (chunk: Uint8Array) => { readonly bytes: number; readonly values: number };

function limitSize(maxBytes: number, body: Body, measure: Measure): Body {
  return watchBody(body, (chunk) => {
    const { bytes, values } = measure(chunk);
    if (bytes > maxBytes || values > MAX_JSON_ANSWER_VALUES) throw new SendError('unusable');
  });
}

function measureTotal(): Measure {
  const size = new JsonSize();
  let bytes = 0;
  return (chunk) => {
    bytes += chunk.length;
    return { bytes, values: size.feed(chunk).values };
  };
}

/**
 * Measures from the end of the last event that ended in an earlier chunk. The whole current chunk is measured too, which
 * is imprecise by at most one chunk: a small part of the limit.
 */
function measureCurrentEvent(): Measure {
  const ends = new EventEnds();
  let eventBytes = 0;
  let size = new JsonSize();
  return (chunk) => {
    const buffered = { bytes: eventBytes + chunk.length, values: size.feed(chunk).values };
    const end = ends.last(chunk);
    ends.pass(chunk);
    eventBytes = end === undefined ? buffered.bytes : chunk.length - end;
    if (end !== undefined) size = new JsonSize().feed(chunk.subarray(end));
    return buffered;
  };
}
