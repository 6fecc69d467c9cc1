import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';

/** Everything a developer's machine serves is served here, and nowhere else. */
export const LOOPBACK = '127.0.0.1';

/** Listens on loopback and gives the port. Port 0 lets the system pick. A taken port rejects with `EADDRINUSE`. */
export async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, LOOPBACK);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return address.port;
}

/** Stops accepting, cuts what is open, and settles when the port is free again. Safe to call twice. */
export async function closeServer(server: HttpServer): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
