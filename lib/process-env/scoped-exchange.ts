/** A Node handler's request ends when it has returned and its response is closed, whichever comes last. */
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Scope } from './scoped-environment.ts';

/** Settles with the response's `close`. Ask before anything is awaited: a caller may leave at any time. */
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

/** Node emits these events from the connection, which is older than the scope and outlives it. */
function emitInScope(scope: Scope, emitter: EventEmitter): void {
  const emit = emitter.emit;
  emitter.emit = (...event) => scope.run(() => Reflect.apply(emit, emitter, event));
}
