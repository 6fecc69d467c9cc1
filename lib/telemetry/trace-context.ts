/** W3C Trace Context: the `traceparent` header, which names the trace of a call. */

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * The caller's `traceparent` if it is valid (W3C Trace Context, section 3.2). `tracestate` and baggage can hold any text, so
 * they are never read.
 */
export function callersTraceparent(headers: Headers): string | undefined {
  const value = headers.get('traceparent');
  return value !== null && TRACEPARENT.test(value) ? value : undefined;
}
