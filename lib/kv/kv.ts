/**
 * The KV store. Only this module names its client. Values are read raw, every request is an explicit
 * pipeline of one invocation's commands, and an error of the store, whose text holds whole commands, goes
 * nowhere.
 */
import { VercelKV } from '@vercel/kv';
import { KV_MAX_ANSWER_BYTES, KV_TIMEOUT_MS } from '../limits.ts';
import { Problem } from '../errors.ts';
import { log } from '../log.ts';
import { readCapped } from '../outgoing/read-capped.ts';
import { type Send, SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';

type Requester = ConstructorParameters<typeof VercelKV>[0];
type Batch = ReturnType<VercelKV['pipeline']>;

/** Some commands, how many they are, and how to read their results. */
export type Ask<T> = {
  readonly commands: number;
  readonly add: (batch: Batch) => void;
  readonly read: (results: readonly unknown[]) => T;
};

export type Kv = {
  /**
   * One request, whatever the number of commands; they run in order, others' may run in between.
   *
   * @throws Problem `store_unavailable` when the store does not answer in time or answers with an error;
   *   a write may or may not have happened then.
   */
  ask<T>(question: Ask<T>): Promise<T>;
};

/** Two asks that travel in one request. */
export function both<A, B>(a: Ask<A>, b: Ask<B>): Ask<readonly [A, B]> {
  return {
    commands: a.commands + b.commands,
    add(batch) {
      a.add(batch);
      b.add(batch);
    },
    read: (results) => [a.read(results.slice(0, a.commands)), b.read(results.slice(a.commands))],
  };
}

export function createKv(config: { readonly url: string; readonly token: Secret }, send: Send): Kv {
  const client = new RawKv({ request: (request) => transmit(config, send, request) });
  return {
    async ask(question) {
      const batch = client.pipeline();
      question.add(batch);
      const results: readonly unknown[] = await batch.exec().catch((error: unknown) => {
        throw unavailable(error);
      });
      return question.read(results);
    },
  };
}

/** The client with automatic deserialization off: a stored string stays the string it is. */
class RawKv extends VercelKV {
  constructor(requester: Requester) {
    super(requester);
    this.opts = { automaticDeserialization: false };
  }
}

/** The client's own transport replaced: one try, one deadline, no cache, no telemetry. */
async function transmit(
  config: { readonly url: string; readonly token: Secret },
  send: Send,
  { path = [], body }: Parameters<Requester['request']>[0],
) {
  const answer = await send({
    method: 'POST',
    url: [config.url, ...path].join('/'),
    headers: {
      authorization: `Bearer ${config.token.reveal()}`,
      'content-type': 'application/json',
      'cache-control': 'no-store',
    },
    body: JSON.stringify(body),
    answerTimeoutMs: KV_TIMEOUT_MS,
    idleTimeoutMs: KV_TIMEOUT_MS,
  });
  const bytes = await readCapped(answer.body, KV_MAX_ANSWER_BYTES);
  if (answer.status !== 200 || bytes === undefined) throw new StoreError(`status ${answer.status}`);
  return JSON.parse(new TextDecoder().decode(bytes));
}

class StoreError extends Error {}

function unavailable(error: unknown): Problem {
  const reason =
    error instanceof SendError
      ? error.reason
      : error instanceof StoreError
        ? error.message
        : 'command failed';
  log({ level: 'error', event: 'kv_failed', reason });
  return new Problem('store_unavailable', { headers: { 'retry-after': '2' } });
}
