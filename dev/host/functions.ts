/**
 * The process in which the functions run. `start-functions.ts` starts it, passes it connections, and replaces it when
 * the code or the configuration changes. It has no port of its own, and ends when its parent has ended.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { createWebServer } from '../http/create-web-server.ts';
import { createHost } from './create-host.ts';
import { type FromFunctions, ToFunctions } from './messages.ts';

const root = process.argv[2] ?? process.cwd();
/** When this process is to end: how long it waits for the first request of a connection. */
const FRESH_CONNECTION_GRACE_MS = 500;
/** Where `waitUntil` of @vercel/functions looks for the platform. */
const REQUEST_CONTEXT = Symbol.for('@vercel/request-context');

const openConnections = new Set<Socket>();
const freshConnections = new Set<Socket>();
const unanswered = new Set<ServerResponse>();
const backgroundWork = new Set<Promise<unknown>>();
Reflect.set(globalThis, REQUEST_CONTEXT, { get: () => ({ waitUntil }) });

// A terminal sends Ctrl-C to this process too. The parent decides when it ends.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));

const host = await createHost(root, (file, error) => {
  tell({ type: 'load-failed', file: file.slice(root.length + 1), message: describe(error) });
});
const server = createWebServer(host.handle, printError);

server.on('connection', (socket) => {
  openConnections.add(socket);
  freshConnections.add(socket);
  socket.once('close', () => {
    openConnections.delete(socket);
    freshConnections.delete(socket);
  });
});
server.on('request', (incoming, outgoing) => {
  const startedAt = performance.now();
  unanswered.add(outgoing);
  freshConnections.delete(incoming.socket);
  // One request per connection: on a kept connection the next request would reach the code before the change.
  outgoing.shouldKeepAlive = false;
  outgoing.once('close', () => {
    unanswered.delete(outgoing);
    tell({
      type: 'answered',
      method: incoming.method ?? '',
      path: (incoming.url ?? '').split('?')[0] ?? '',
      status: outgoing.headersSent ? outgoing.statusCode : 0,
      durationMs: Math.round(performance.now() - startedAt),
    });
  });
});

process.on('message', (message, handle) => {
  const parsed = ToFunctions.parse(message);
  if (parsed.type === 'connection' && handle instanceof Socket) accept(handle);
  if (parsed.type === 'drain') void drain(parsed.deadlineMs);
  if (parsed.type === 'environment') tell({ type: 'environment', variables: variables() });
});
tell({ type: 'ready' });
await host.load();

function accept(socket: Socket): void {
  socket.setNoDelay(true);
  server.emit('connection', socket);
  socket.resume();
}

/** Ends this process when every request is answered. After the deadline, what is left is answered 503. */
async function drain(deadlineMs: number): Promise<void> {
  setTimeout(closeFreshConnections, Math.min(FRESH_CONNECTION_GRACE_MS, deadlineMs));
  setTimeout(refuseTheRest, deadlineMs);
  while (openConnections.size > 0)
    await Promise.race([...openConnections].map((socket) => once(socket, 'close')));
  while (backgroundWork.size > 0) await Promise.all(backgroundWork);
  process.exit(0);
}

function closeFreshConnections(): void {
  for (const socket of freshConnections) socket.destroy();
}

function refuseTheRest(): void {
  for (const response of unanswered) {
    if (response.headersSent) response.destroy();
    else response.writeHead(503, { 'retry-after': '1', connection: 'close' }).end('Restarting. Try again.\n');
  }
}

function waitUntil(work: Promise<unknown>): void {
  const tracked = work.catch(printError).finally(() => backgroundWork.delete(tracked));
  backgroundWork.add(tracked);
}

function variables(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? '']));
}

function tell(message: FromFunctions): void {
  if (process.connected) process.send?.(message);
}

function printError(error: unknown): void {
  console.error(describe(error));
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
