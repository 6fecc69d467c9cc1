/** Speaks MySQL's protocol, with the server side of `mysql2`. It answers every query with one row. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import mysql from 'mysql2';
import { listen } from '../../dev/http/listen.ts';

const HANDSHAKE = {
  protocolVersion: 10,
  serverVersion: '8.0.0',
  connectionId: 1,
  statusFlags: 2,
  characterSet: 8,
  capabilityFlags: 0xff_f7_ff & ~0x00_08_20,
};
const ROWS = [{ one: '1' }];
const COLUMNS = [
  {
    catalog: 'def',
    schema: '',
    table: '',
    orgTable: '',
    name: 'one',
    orgName: 'one',
    characterSet: 33,
    columnLength: 1,
    columnType: 253,
    flags: 0,
    decimals: 0,
  },
];

export type MysqlServer = { readonly port: number; close(): Promise<void> };

export async function startMysql(): Promise<MysqlServer> {
  const mysqlServer = mysql.createServer(() => undefined);
  mysqlServer.on('connection', (connection: mysql.Connection) => {
    // After every answer, the next command begins a new sequence of packets.
    const endSequence = () => Reflect.set(connection, 'sequenceId', 0);
    const authCallback = (_login: unknown, accept: () => void) => {
      accept();
      endSequence();
    };
    connection.serverHandshake({ ...HANDSHAKE, authCallback });
    connection.on('query', () => {
      connection.writeTextResult(ROWS, COLUMNS);
      endSequence();
    });
    connection.on('error', () => undefined);
  });
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    Reflect.apply(Reflect.get(mysqlServer, '_handleConnection'), mysqlServer, [socket]);
  });
  const port = await listen(server);
  async function close(): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    for (const socket of open) socket.destroy();
    await closed;
  }
  return { port, close };
}
