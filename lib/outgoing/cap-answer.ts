/** How much of an answer goes to a client library, which would read one of any size into memory. */
import { MAX_JSON_ANSWER_BYTES, MAX_PROVIDER_ERROR_BYTES, MAX_PROVIDER_EVENT_BYTES } from '../limits.ts';
import { type Answer, SendError } from './send.ts';

/**
 * The answer's body, which fails with SendError `unusable` at the first byte too many; the rest is not read. An
 * event stream may go on for ever, but none of its events may, since a reader holds each until it is whole.
 */
export function capAnswer({ status, headers, body }: Answer): ReadableStream<Uint8Array> {
  if (status >= 400) return failBeyond(MAX_PROVIDER_ERROR_BYTES, body, countAll());
  const isEvents = /^\s*text\/event-stream\b/i.test(headers.get('content-type') ?? '');
  return isEvents
    ? failBeyond(MAX_PROVIDER_EVENT_BYTES, body, countEvent())
    : failBeyond(MAX_JSON_ANSWER_BYTES, body, countAll());
}

/** Takes the next chunk and says how many bytes a reader may have to hold by now. */
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

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Counts from one blank line to the next, whichever line ends are used (HTML standard, section 9.2.6). */
function countEvent(): Count {
  let eventBytes = 0;
  let isLineBlank = true;
  let last = 0;
  return (chunk) => {
    let most = eventBytes;
    // By index: iterating over bytes costs several times as much.
    for (let index = 0; index < chunk.length; index += 1) {
      const byte = chunk[index] ?? 0;
      const isSecondHalf = byte === LINE_FEED && last === CARRIAGE_RETURN;
      last = byte;
      eventBytes += 1;
      if (eventBytes > most) most = eventBytes;
      if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) isLineBlank = false;
      else if (!isSecondHalf) {
        if (isLineBlank) eventBytes = 0;
        isLineBlank = true;
      }
    }
    return most;
  };
}
