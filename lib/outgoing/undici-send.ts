/** `Send` for Node. Uses a third of the CPU of the global `fetch` for the same exchange; see bench/. */
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
// The package as a whole loads dispatchers, caches, mocks and interceptors that nothing here uses.
import request from 'undici/lib/api/api-request.js';
import errors from 'undici/lib/core/errors.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import {
  CONNECT_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  MAX_WALL_CLOCK_FACTOR,
  MIN_DEADLINE_CHECK_MS,
} from '../limits.ts';
import { chunksOf } from './body.ts';
import { type Body, type OutgoingRequest, type Send, SendError } from './send.ts';

/**
 * A `Send` with its own connection pool. Invocations share sockets, but no header, key or answer is kept after its
 * request. `connections` is the maximum number of connections to one origin; further requests are queued.
 */
export function createUndiciSend(pool: { readonly connections?: number } = {}): Send {
  const dispatcher = new Agent({
    ...pool,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    allowH2: false,
  });
  return async (outgoing) => {
    const { origin, pathname, search } = new URL(outgoing.url);
    const deadline = startDeadline(outgoing.answerTimeoutMs);
    try {
      const { statusCode, headers, body } = await request.call(dispatcher, {
        origin,
        path: pathname + search,
        method: outgoing.method,
        headers: { ...outgoing.headers, 'accept-encoding': 'identity' },
        body: toSentBody(outgoing.body),
        signal: outgoing.signal ? AbortSignal.any([outgoing.signal, deadline.signal]) : deadline.signal,
        headersTimeout: 0,
        bodyTimeout: outgoing.idleTimeoutMs,
      });
      return { status: statusCode, headers: toHeaders(headers), body: bodyOfReadable(body) };
    } catch (error) {
      if (outgoing.signal?.aborted) throw new SendError('aborted');
      throw deadline.signal.aborted ? new SendError('timeout') : toSendError(error);
    } finally {
      deadline.clear();
    }
  };
}

function toHeaders(incoming: Record<string, string | string[] | undefined>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming)) {
    for (const single of Array.isArray(value) ? value : [value ?? '']) headers.append(name, single);
  }
  return headers;
}

function toSentBody(body: OutgoingRequest['body']) {
  const isWhole = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  return isWhole ? (body ?? null) : Readable.from(chunksOf(body));
}

/**
 * Takes all that has arrived in one read, so that a burst of small chunks costs little, and no more is read from the
 * socket than is asked for and than the client buffers.
 */
function bodyOfReadable(body: Readable): Body {
  let wake = () => {};
  // Aborting an exchange makes undici emit an error on the body. Without a listener it would end the process.
  for (const event of ['readable', 'end', 'error', 'close']) body.on(event, () => wake());
  return {
    async read() {
      for (;;) {
        const chunk: Uint8Array | null = body.read();
        if (chunk !== null) return chunk;
        if (body.errored) throw toSendError(body.errored);
        if (body.readableEnded) return undefined;
        if (body.destroyed) throw new SendError('unreachable');
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async cancel() {
      body.destroy();
    },
  };
}

function toSendError(error: unknown): SendError {
  return new SendError(error instanceof errors.BodyTimeoutError ? 'timeout' : 'unreachable');
}

/**
 * Starts a deadline that counts only the time in which the event loop was idle. While the process is busy with other
 * calls, an answer may have arrived without being read yet, and a burst of calls must not look like an outage of the
 * other side.
 */
function startDeadline(timeoutMs: number): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const startedAt = performance.now();
  const utilization = performance.eventLoopUtilization();
  let timer = setTimeout(check, timeoutMs);

  function check(): void {
    const idleMs = performance.eventLoopUtilization(utilization).idle;
    const isOver = idleMs >= timeoutMs || performance.now() - startedAt >= MAX_WALL_CLOCK_FACTOR * timeoutMs;
    if (isOver) controller.abort();
    else timer = setTimeout(check, Math.max(timeoutMs - idleMs, MIN_DEADLINE_CHECK_MS));
  }

  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}
