import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';

/** All servers of a developer's machine listen on this address only. */
export const LOOPBACK = '127.0.0.1';

/** Listens on loopback and returns the port. With port 0 the system picks. A taken port rejects with `EADDRINUSE`. */
export async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, LOOPBACK);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return address.port;
}

/** Closes the server and its open connections, and resolves when the port is free. Safe to call twice. */
export async function closeServer(server: HttpServer): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
