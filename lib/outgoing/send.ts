/**
 * The interface for all outgoing HTTP requests: to KV, the issuer and the providers. Node uses undici with its own
 * connection pools (`undici-send.ts`); other runtimes use `fetch` (`fetch-send.ts`). Neither follows redirects,
 * decodes bodies or retries.
 */

/** A body as its chunks, read one after another. */
export type Body = {
  /** The next bytes, undefined at the end. One read at a time. Rejects when the exchange fails. */
  read(): Promise<Uint8Array | undefined>;
  /** Reads no further and ends the exchange. */
  cancel(): Promise<void>;
};

export type OutgoingRequest = {
  readonly method: string;
  readonly url: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | Body | undefined;
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
  readonly body: Body;
  /** How many chunks may be read before the caller asks for them. Default: none. */
  readonly readAhead?: number;
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
