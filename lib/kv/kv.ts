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
import { type Query, UnexpectedAnswer } from './query.ts';
import { type CommandAnswer, type Commands, cacheScripts } from './script-cache.ts';

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
  const sendCommands = cacheScripts((commands) => transmit(address, send, commands));
  const client = new RawKv({
    async request({ body }) {
      // The client sends nothing but pipelines, and types every answer as that of one command.
      const answers: ReturnType<typeof JSON.parse> = await sendCommands(toCommands(body));
      return answers;
    },
  });
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

function toCommands(body: unknown): Commands {
  if (!isListOfCommands(body)) throw new TransportError('internal');
  return body;
}

function isListOfCommands(body: unknown): body is Commands {
  return Array.isArray(body) && body.every((words) => Array.isArray(words) && typeof words[0] === 'string');
}

/** Replaces the client's own transport: one try, one deadline, no cache, no telemetry. */
async function transmit(
  { url, token }: Address,
  send: Send,
  commands: Commands,
): Promise<readonly CommandAnswer[]> {
  const answer = await send({
    method: 'POST',
    url: `${url}/pipeline`,
    headers: {
      authorization: `Bearer ${token.reveal()}`,
      'content-type': 'application/json',
      'cache-control': 'no-store',
    },
    body: JSON.stringify(commands),
    answerTimeoutMs: KV_TIMEOUT_MS,
    idleTimeoutMs: KV_TIMEOUT_MS,
  });
  const bytes = await readWithLimit(answer.body, MAX_KV_ANSWER_BYTES, MAX_KV_ANSWER_MS);
  if (bytes === undefined) throw new TransportError('store_answer_too_large');
  if (answer.status !== 200) throw new TransportError('store_status_unexpected');
  return parseAnswers(bytes, commands.length);
}

const decoder = new TextDecoder();

/**
 * What the REST protocol answers a pipeline with: one object a command, with its result or its error. The client looks
 * into each, so the list is checked before the client sees it.
 */
function parseAnswers(bytes: Uint8Array, count: number): readonly CommandAnswer[] {
  let answers: unknown;
  try {
    answers = JSON.parse(decoder.decode(bytes));
  } catch {
    throw new TransportError('store_answer_not_json');
  }
  if (!isListOfAnswers(answers)) throw new TransportError('store_answer_unexpected');
  // A store that refuses the whole pipeline may send one error for it, which the client reports.
  const hasFailed = answers.some(({ error }) => error !== undefined);
  if (answers.length !== count && !hasFailed) throw new TransportError('store_answer_unexpected');
  return answers;
}

function isListOfAnswers(answers: unknown): answers is readonly CommandAnswer[] {
  return Array.isArray(answers) && answers.every(isAnswer);
}

function isAnswer(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null) return false;
  return 'result' in answer || ('error' in answer && typeof answer.error === 'string');
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
  const isUnexpected = error instanceof z.core.$ZodError || error instanceof UnexpectedAnswer;
  return isUnexpected ? 'store_answer_unexpected' : 'store_command_failed';
}
