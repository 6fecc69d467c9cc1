/**
 * The functions process. `start-functions.ts` starts it, hands it connections, and puts a new one in its place
 * when the code or the configuration changes. It holds no port; it ends when its parent is gone.
 */
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { createWebServer } from '../http/create-web-server.ts';
import { trackBackgroundWork } from './background-work.ts';
import { createHost } from './create-host.ts';
import { type FromFunctions, ToFunctions } from './messages.ts';

const root = process.argv[2] ?? process.cwd();
/** How long a connection that has not carried its request yet is waited for when this process is to end. */
const FRESH_CONNECTION_GRACE_MS = 500;

const openConnections = new Set<Socket>();
const freshConnections = new Set<Socket>();
const unanswered = new Set<ServerResponse>();
const background = trackBackgroundWork(printError);

// The parent decides what Ctrl-C means, and it would reach both.
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
  // One request a connection: a kept one would bring its next request to the code before the change.
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

/** Finishes what has been asked, within the deadline; what has no answer by then is told so with a 503. */
async function drain(deadlineMs: number): Promise<void> {
  setTimeout(closeFreshConnections, Math.min(FRESH_CONNECTION_GRACE_MS, deadlineMs));
  setTimeout(refuseTheRest, deadlineMs);
  while (openConnections.size > 0) await oneConnectionLess();
  await background.settled();
  process.exit(0);
}

function closeFreshConnections(): void {
  for (const socket of freshConnections) socket.destroy();
}

function oneConnectionLess(): Promise<void> {
  return new Promise((resolve) => {
    for (const socket of openConnections) socket.once('close', () => resolve());
  });
}

function refuseTheRest(): void {
  for (const response of unanswered) {
    if (response.headersSent) response.destroy();
    else response.writeHead(503, { 'retry-after': '1', connection: 'close' }).end('Restarting. Try again.\n');
  }
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
