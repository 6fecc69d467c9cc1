/**
 * Runs a handler in a scope and ends the scope with its response. A Web handler's response ends when its body has been
 * read, cancelled or has failed; a Node handler's when the handler has returned and the response has closed.
 */
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Scope } from './scoped-environment.ts';

type Chunk = Uint8Array<ArrayBuffer>;
type Read = Promise<ReadableStreamReadResult<Chunk>>;

/**
 * Runs a Web handler in a scope. The scope ends at once if the body is already complete (text, JSON, none), and
 * otherwise with the last chunk. The code that produces the chunks always runs inside the scope.
 */
export async function respondInScope<T>(scope: Scope, respond: () => T): Promise<Awaited<T> | Response> {
  try {
    const response = await scope.run(respond);
    if (!(response instanceof Response) || response.body === null) {
      scope.end();
      return response;
    }
    return new Response(await scopeBody(scope, response.body), response);
  } catch (error) {
    scope.end();
    throw error;
  }
}

async function scopeBody(scope: Scope, body: ReadableStream<Chunk>) {
  const reader = body.getReader();
  const read = (): Read => scope.run(() => reader.read());
  const [first, second] = [read(), read()];
  // The response may never be read (HEAD, or the caller disconnected), and an unhandled rejection would end the
  // process and every other request in it.
  first.catch(() => scope.end());
  if (await isLastRead(second)) {
    scope.end();
    return (await first).value ?? null;
  }
  const buffered = [first, second];
  return new ReadableStream<Chunk>(
    {
      async pull(controller) {
        try {
          const { done, value } = await (buffered.shift() ?? read());
          if (!done) return controller.enqueue(value);
          scope.end();
          controller.close();
        } catch (error) {
          scope.end();
          throw error;
        }
      },
      async cancel(reason) {
        await scope.run(() => reader.cancel(reason)).finally(() => scope.end());
      },
    },
    { highWaterMark: 0 },
  );
}

/** Whether the second read already ends the body. Waits only for data that is available now. */
async function isLastRead(second: Read): Promise<boolean> {
  const nextTurn = new Promise<false>((resolve) => setImmediate(resolve, false));
  // The reader of the response gets the error of a failed read. Here it only means that the body is not complete.
  return Promise.race([second.then(({ done }) => done).catch(() => false), nextTurn]);
}

/** Resolves on the response's `close` event. Call it before the first `await`: the caller may disconnect at any time. */
export function whenClosed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve);
  });
}

/** Runs a Node handler in a scope. Listeners on its request and response run inside the scope too. */
export async function serveInScope<T>(
  scope: Scope,
  request: IncomingMessage,
  response: ServerResponse,
  closed: Promise<void>,
  serve: () => T,
): Promise<Awaited<T>> {
  emitInScope(scope, request);
  emitInScope(scope, response);
  try {
    return await scope.run(serve);
  } finally {
    closed.then(() => scope.end());
  }
}

/** Node emits these events from the connection, which was opened before the scope and stays open after it. */
function emitInScope(scope: Scope, emitter: EventEmitter): void {
  const emit = emitter.emit;
  emitter.emit = (...event) => scope.run(() => Reflect.apply(emit, emitter, event));
}
