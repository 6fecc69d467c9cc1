/** Answers of an emulated provider. `usual` is a healthy provider; the others are failures. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { findProvider } from '../../lib/providers/catalogue.ts';
import { dialectAnswer } from './provider-dialects.ts';
import type { RecordedCall } from './recorded-call.ts';

export type Answer = (call: RecordedCall, response: ServerResponse) => void | Promise<void>;

/** `usual` refuses keys with this prefix, on key checks and on calls. */
export const REFUSED_KEY_PREFIX = 'refused-';

/**
 * A healthy provider: key checks refuse keys with the prefix `refused-`, text endpoints answer in the provider's own
 * format (streamed on request), and any other path echoes the request.
 */
export const usual: Answer = async (call, response) => {
  await call.received;
  if (call.credential === undefined || call.credential.startsWith(REFUSED_KEY_PREFIX)) {
    return refused(call, response);
  }
  const provider = findProvider(call.provider);
  const body = call.target === provider?.check.path ? { valid: true, data: [] } : undefined;
  const dialect = body ? { json: body } : dialectAnswer(call);
  if (dialect === undefined) return json({ provider: call.provider, method: call.method })(call, response);
  if ('json' in dialect) return json(dialect.json)(call, response);
  return events(dialect.events)(call, response);
};

export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return async (call, response) => {
    await call.received;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(value));
  };
}

/**
 * A stream of SSE events. `before(index)` is awaited before each event, so that a test decides when the next one is
 * sent: `events(['data: 1', 'data: 2'], { before: (index) => gates[index] })`.
 */
export function events(
  list: readonly string[],
  options: { readonly before?: (index: number) => Promise<unknown> | undefined } = {},
): Answer {
  return async (call, response) => {
    await call.received;
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.flushHeaders();
    for (const [index, event] of list.entries()) {
      await options.before?.(index);
      if (call.hasLeft()) return;
      if (!response.write(`${event}\n\n`)) await Promise.race([once(response, 'drain'), call.left]);
    }
    response.end();
  };
}

/** Accepts the request and never answers. */
export const hang: Answer = () => {};

/** Sends headers and a first chunk, and then nothing. */
export const stall: Answer = async (call, response) => {
  await call.received;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('data: 1\n\n');
};

/** Closes the connection without an answer. */
export const reset: Answer = (_call, response) => {
  response.destroy();
};

/** Closes the connection in the middle of the answer. */
export const resetMidway: Answer = async (call, response) => {
  await call.received;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('data: 1\n\n', () => response.destroy());
};

export function redirectTo(location: string, status = 307): Answer {
  return (_call, response) => {
    response.writeHead(status, { location }).end();
  };
}

/** An error that quotes the key it was called with, as some providers do. */
export function errorQuotingKey(status = 400): Answer {
  return (call, response) =>
    json({ error: { message: `Invalid API key: ${call.credential}` } }, status)(call, response);
}

/** Sends back the request's body, chunk by chunk as it arrives, with its content type. */
export const echo: Answer = (call, response) => {
  response.writeHead(200, { 'content-type': call.headers['content-type'] ?? 'application/octet-stream' });
  response.req.pipe(response);
};

function refused(call: RecordedCall, response: ServerResponse): void | Promise<void> {
  if (call.provider === 'gemini') {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }];
    return json({ error: { code: 400, status: 'INVALID_ARGUMENT', details } }, 400)(call, response);
  }
  const error = { type: 'authentication_error', code: 'invalid_api_key' };
  return json({ error }, 401)(call, response);
}
