/** A Web handler's request ends when its answer has been read to the end, given up, or failed. */
import type { Scope } from './scoped-environment.ts';

type Chunk = Uint8Array<ArrayBuffer>;
type Read = Promise<ReadableStreamReadResult<Chunk>>;

/**
 * Runs a Web handler in a scope and ends the scope with the answer: at once where the answer is complete
 * already (text, JSON, no body), and with the last chunk where it is still being made. The code that makes
 * the chunks runs inside the scope, whoever reads them.
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
  // Nobody may ever read the answer (HEAD, a caller who has left), and a rejection that nobody handles ends the
  // process, with the requests of all others.
  first.catch(() => scope.end());
  if (await endsWith(second)) {
    scope.end();
    return (await first).value ?? null;
  }
  const ahead = [first, second];
  return new ReadableStream<Chunk>(
    {
      async pull(controller) {
        try {
          const { done, value } = await (ahead.shift() ?? read());
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

/** Whether a body is over by its second read, without waiting for anything but what is there already. */
async function endsWith(second: Read): Promise<boolean> {
  const nextTurn = new Promise<false>((resolve) => setImmediate(resolve, false));
  // A failed read is reported where the answer is read; here it only means that this is no complete body.
  return Promise.race([second.then(({ done }) => done).catch(() => false), nextTurn]);
}
