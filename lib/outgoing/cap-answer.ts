/** Bounds an answer on its way to a client library, which would read one of any size into memory. */
import { MAX_JSON_ANSWER_BYTES, MAX_PROVIDER_ERROR_BYTES, MAX_PROVIDER_EVENT_BYTES } from '../limits.ts';
import { type Answer, SendError } from './send.ts';

/**
 * The answer's body. It fails with SendError `unusable` once it is too large, and the rest is not read. An event stream
 * may be of any length, but each of its events is bounded, because a client library holds an event until it is whole.
 */
export function capAnswer({ status, headers, body }: Answer): ReadableStream<Uint8Array> {
  if (status >= 400) return failBeyond(MAX_PROVIDER_ERROR_BYTES, body, countAll());
  const isEvents = /^\s*text\/event-stream\b/i.test(headers.get('content-type') ?? '');
  return isEvents
    ? failBeyond(MAX_PROVIDER_EVENT_BYTES, body, countEvent())
    : failBeyond(MAX_JSON_ANSWER_BYTES, body, countAll());
}

/** Takes the next chunk and returns how many bytes a client library may hold by now. */
type Count = (chunk: Uint8Array) => number;

function failBeyond(
  maxBytes: number,
  body: ReadableStream<Uint8Array>,
  count: Count,
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

function countAll(): Count {
  let total = 0;
  return (chunk) => {
    total += chunk.length;
    return total;
  };
}

/** How two line ends in a row begin, whichever are used (HTML standard, section 9.2.6). The second ends an event. */
const BLANK_LINES = ['\n\n', '\n\r', '\r\r'];

/**
 * Counts from the last event that ended in an earlier chunk. What else the present chunk holds is counted along: it is
 * a small part of what an event may have.
 */
function countEvent(): Count {
  const decoder = new TextDecoder();
  let eventBytes = 0;
  let lastCharacter = '';
  return (chunk) => {
    const most = eventBytes + chunk.length;
    const text = lastCharacter + decoder.decode(chunk);
    lastCharacter = text.slice(-1);
    const end = Math.max(...BLANK_LINES.map((line) => text.lastIndexOf(line)));
    eventBytes = end === -1 ? most : text.length - (end + 2);
    return most;
  };
}
