/**
 * The one way out. Everything that leaves, to KV, to the issuer, to a provider, goes through a `Send`: on
 * Node through undici with pools of our own (`undici-send.ts`), elsewhere through `fetch` (`fetch-send.ts`).
 * Neither follows redirects, decodes bodies or retries.
 */

export type OutgoingRequest = {
  readonly method: string;
  readonly url: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | ReadableStream<Uint8Array> | undefined;
  /** Ends the exchange at any point, also in the middle of the answer's body. */
  readonly signal?: AbortSignal | undefined;
  /** Until the answer's headers are there, connecting included. */
  readonly answerTimeoutMs: number;
  /** The longest silence between two chunks of the answer's body. */
  readonly idleTimeoutMs: number;
};

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  /** Cancelling it ends the exchange. */
  readonly body: ReadableStream<Uint8Array>;
};

export type Send = (request: OutgoingRequest) => Promise<Answer>;

/**
 * Why there is no answer. `aborted`: the request's own signal fired. `unusable`: there is one, too large or with a
 * status that HTTP does not have. It has no `cause`: the errors of HTTP
 * clients can hold the request they failed on.
 */
export class SendError extends Error {
  override readonly name = 'SendError';
  readonly reason: 'unreachable' | 'timeout' | 'aborted' | 'unusable';

  constructor(reason: SendError['reason']) {
    super(`outgoing request failed: ${reason}`);
    this.reason = reason;
  }
}
