/**
 * The interface for all outgoing HTTP requests: to KV, the issuer and the providers. Node uses undici with its own
 * connection pools (`undici-send.ts`); other runtimes use `fetch` (`fetch-send.ts`). Neither follows redirects,
 * decodes bodies or retries.
 */

export type OutgoingRequest = {
  readonly method: string;
  readonly url: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | ReadableStream<Uint8Array> | undefined;
  /** Aborts the exchange at any point, also while the body is streaming. */
  readonly signal?: AbortSignal | undefined;
  /** From the start, including connecting, until the response headers arrive. */
  readonly answerTimeoutMs: number;
  /** The longest wait between two chunks of the body. */
  readonly idleTimeoutMs: number;
};

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  /** Cancelling it aborts the exchange. */
  readonly body: ReadableStream<Uint8Array>;
};

export type Send = (request: OutgoingRequest) => Promise<Answer>;

/**
 * Why a request failed. `aborted`: the request's own signal fired. `unusable`: the answer is too large or has an invalid
 * status. It has no `cause`, because errors of HTTP clients can contain the request.
 */
export class SendError extends Error {
  override readonly name = 'SendError';
  readonly reason: 'unreachable' | 'timeout' | 'aborted' | 'unusable';

  constructor(reason: SendError['reason']) {
    super(`outgoing request failed: ${reason}`);
    this.reason = reason;
  }
}
