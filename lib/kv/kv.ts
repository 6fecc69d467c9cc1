/**
 * The KV store. Only this folder names its client. Values are read raw, every request is an explicit pipeline of one
 * invocation's commands, and an error of the store is never passed on: its text can hold whole commands.
 */
import { VercelKV } from '@vercel/kv';
import { z } from 'zod';
import { Problem, type Reason } from '../errors.ts';
import { KV_TIMEOUT_MS, MAX_KV_ANSWER_BYTES, MAX_KV_ANSWER_MS } from '../limits.ts';
import { describeOrigin, log } from '../log.ts';
import { readWithLimit } from '../outgoing/body.ts';
import { type Send, SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';
import type { Query } from './query.ts';

type Requester = ConstructorParameters<typeof VercelKV>[0];
type Address = { readonly url: string; readonly token: Secret };

export type Kv = {
  /**
   * Runs a query as one request, whatever the number of its commands. They run in order; commands of other requests
   * may run in between.
   *
   * @throws Problem `store_unavailable` when the store does not answer in time, answers with an error, or answers in
   *   an unexpected shape; a write may or may not have happened then. The reason is in the log.
   */
  run<T>(query: Query<T>): Promise<T>;
};

export function createKv(address: Address, send: Send): Kv {
  const client = new RawKv({ request: (request) => transmit(address, send, request) });
  return {
    async run(query) {
      const pipeline = client.pipeline();
      const parse = query(pipeline);
      try {
        return parse(pipeline.length() === 0 ? [] : await pipeline.exec());
      } catch (error) {
        const reason = reasonOf(error);
        // The text of such an error can hold whole commands; where it came from cannot.
        const origin = reason === 'store_command_failed' ? describeOrigin(error) : {};
        log({ level: 'error', event: 'kv_failed', reason, ...origin });
        throw storeUnavailable(reason, 2);
      }
    },
  };
}

/** `retryAfterSeconds` is what the caller is told to wait. */
export function storeUnavailable(reason: Reason, retryAfterSeconds: number): Problem {
  return new Problem('store_unavailable', { reason, headers: { 'retry-after': String(retryAfterSeconds) } });
}

/** The client with automatic deserialization off: stored strings are returned unparsed. */
class RawKv extends VercelKV {
  constructor(requester: Requester) {
    super(requester);
    this.opts = { automaticDeserialization: false };
  }
}

/** Replaces the client's own transport: one try, one deadline, no cache, no telemetry. */
async function transmit(
  { url, token }: Address,
  send: Send,
  { path = [], body }: Parameters<Requester['request']>[0],
) {
  const answer = await send({
    method: 'POST',
    url: [url, ...path].join('/'),
    headers: {
      authorization: `Bearer ${token.reveal()}`,
      'content-type': 'application/json',
      'cache-control': 'no-store',
    },
    body: JSON.stringify(body),
    answerTimeoutMs: KV_TIMEOUT_MS,
    idleTimeoutMs: KV_TIMEOUT_MS,
  });
  const bytes = await readWithLimit(answer.body, MAX_KV_ANSWER_BYTES, MAX_KV_ANSWER_MS);
  if (bytes === undefined) throw new TransportError('store_answer_too_large');
  if (answer.status !== 200) throw new TransportError('store_status_unexpected');
  return parseAnswer(bytes);
}

/** What the REST protocol answers a pipeline with: one object a command. */
const pipelineAnswer = z.array(z.union([z.object({ result: z.unknown() }), z.object({ error: z.string() })]));

/** The client looks into each item of the list, so the list is checked before the client sees it. */
function parseAnswer(bytes: Uint8Array) {
  let answer: ReturnType<typeof JSON.parse>;
  try {
    answer = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new TransportError('store_answer_not_json');
  }
  if (!pipelineAnswer.safeParse(answer).success) throw new TransportError('store_answer_unexpected');
  return answer;
}

class TransportError extends Error {
  readonly reason: Reason;

  constructor(reason: Reason) {
    super(reason);
    this.reason = reason;
  }
}

const SEND_REASONS = {
  timeout: 'store_timeout',
  unreachable: 'store_unreachable',
  aborted: 'store_unreachable',
  unusable: 'store_status_unexpected',
} as const satisfies Record<SendError['reason'], Reason>;

function reasonOf(error: unknown): Reason {
  if (error instanceof TransportError) return error.reason;
  if (error instanceof SendError) return SEND_REASONS[error.reason];
  return error instanceof z.core.$ZodError ? 'store_answer_unexpected' : 'store_command_failed';
}
