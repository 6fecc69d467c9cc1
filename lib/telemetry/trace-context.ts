/** W3C Trace Context: which trace a call belongs to, in one header. */

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * The caller's `traceparent` if it is one (W3C Trace Context, section 3.2). `tracestate` and baggage hold whatever a
 * caller likes, and are never read.
 */
export function callersTraceparent(headers: Headers): string | undefined {
  const value = headers.get('traceparent');
  return value !== null && TRACEPARENT.test(value) ? value : undefined;
}
