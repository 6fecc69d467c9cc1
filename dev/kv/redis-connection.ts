// A Redis of the developer's own as an engine, over one connection.

import { createClient, ErrorReply, RESP_TYPES } from 'redis';
import { type Command, CommandError, discarded, type Engine, type Reply } from './engine.ts';

/**
 * Connects, and rejects when the server does not answer. It reconnects when the connection is lost later; until then
 * every call rejects. A call that was under way rejects too: no command is sent twice.
 */
export async function connectRedis(url: string): Promise<Engine> {
  let connected = false;
  const client = createClient({
    url,
    RESP: 2,
    // Off: a queue that survives a reconnection could send the end of a transaction without its beginning.
    disableOfflineQueue: true,
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
    socket: {
      reconnectStrategy: (retries, cause) => (connected ? Math.min(50 * 2 ** retries, 1_000) : cause),
    },
  });
  // Every call under way rejects with the same error; an emitter without a listener would end the process.
  client.on('error', () => {});
  await client.connect();
  connected = true;

  /** Queues all commands at once, so that no other command comes between them on this connection. */
  function send(commands: readonly Command[]): Promise<Reply[]> {
    return Promise.all(
      commands.map((command) => client.sendCommand<unknown>([...command]).then(toReply, toCommandError)),
    );
  }

  return {
    async execute(commands, { atomic }) {
      if (!atomic) return send(commands);
      const queued = await send([['MULTI'], ...commands, ['EXEC']]);
      const replies = queued.at(-1);
      if (Array.isArray(replies)) return replies;
      const cause = queued.find((reply) => reply instanceof CommandError);
      return discarded(cause?.message ?? '');
    },
    async close() {
      // Waits for pending replies, unless the connection is lost.
      if (client.isReady) await client.close();
      else client.destroy();
    },
  };
}

function toReply(value: unknown): Reply {
  if (value === null || typeof value === 'string' || typeof value === 'number' || Buffer.isBuffer(value)) {
    return value;
  }
  if (Array.isArray(value)) return value.map(toReply);
  if (value instanceof ErrorReply) return new CommandError(value.message);
  throw new TypeError('Not a RESP2 reply');
}

function toCommandError(reason: unknown): CommandError {
  if (reason instanceof ErrorReply) return new CommandError(reason.message);
  throw reason;
}
