/**
 * Two users share a connection that the first one opened, with the drivers that apps use. A callback never reads the
 * other user's key; code after an `await` always reads its own.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import type { Writable } from 'node:stream';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import mysql from 'mysql2';
import pg from 'pg';
import { createClient } from 'redis';
import * as undici from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { installScopedEnvironment, type Scope } from '../../lib/process-env/scoped-environment.ts';
import { findPostgres, type RunningPostgres, startPostgres } from '../cli/migrate/start-postgres.ts';
import { type RedisServer, redisServerInstalled, startRedisServer } from '../support/redis-server.ts';
import { newProviderKey } from '../support/start-world.ts';
import { type MysqlServer, startMysql } from './mysql-server.ts';
import { openScope } from './open-scope.ts';

const ROUNDS = 20;
const anna = newProviderKey('sk-anna-');
const ben = newProviderKey('sk-ben-');
const postgresPrograms = findPostgres();

beforeAll(() => void installScopedEnvironment());

/** What a read in one request returned: its own key, another user's, or none. */
type Reads = { own: number; other: number; missing: number };
type Read = () => void;

/** One request: it uses the shared connection, and reads the key wherever the connection calls it. */
type Use = (read: Read) => Promise<unknown>;

/**
 * Anna's request opens the connection. Then both users use it at the same time, many times, while both requests are
 * open.
 */
async function share(open: () => Use | Promise<Use>): Promise<Reads> {
  const reads = { own: 0, other: 0, missing: 0 };
  const [annas, bens] = [openScope({ OPENAI_API_KEY: anna }), openScope({ OPENAI_API_KEY: ben })];
  const reader = (own: string) => () => {
    const key = process.env.OPENAI_API_KEY;
    if (key === undefined) reads.missing += 1;
    else reads[key === own ? 'own' : 'other'] += 1;
  };
  const ask = (scope: Scope, key: string, use: Use) => scope.run(() => use(reader(key)));
  try {
    const use = await annas.run(async () => open());
    for (let round = 0; round < ROUNDS; round += 1) {
      await Promise.all([
        ask(annas, anna, use),
        ask(bens, ben, use),
        ask(annas, anna, use),
        ask(bens, ben, use),
      ]);
    }
  } finally {
    annas.end();
    bens.end();
  }
  return reads;
}

const CALLS = 4 * ROUNDS;
const allOwn = (readsACall = 1): Reads => ({ own: readsACall * CALLS, other: 0, missing: 0 });
const allMissing = (readsACall = 1): Reads => ({ own: 0, other: 0, missing: readsACall * CALLS });

/** A use that reads in a callback in Node's style: `start` gets a callback that reads and then resolves. */
const inCallback =
  (start: (done: (error?: unknown) => void) => void): Use =>
  (read) =>
    new Promise<void>((resolve, reject) => {
      start((error) => {
        read();
        if (error) reject(error);
        else resolve();
      });
    });

/** A use that reads after an `await`. */
const afterAwait =
  (start: () => PromiseLike<unknown>): Use =>
  async (read) => {
    await start();
    read();
  };

describe.skipIf(postgresPrograms === undefined)('pg', () => {
  let server: RunningPostgres;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres(postgresPrograms ?? '');
  });
  beforeEach(() => {
    pool = new pg.Pool({ connectionString: server.url, max: 1 });
    return () => pool.end();
  });
  afterAll(() => server.close());

  it('a callback of a pool reads no key', async () => {
    const reads = await share(() => inCallback((done) => pool.query('select 1', done)));
    expect(reads).toEqual(allMissing());
  });

  it('an awaited query of a pool reads its own key', async () => {
    expect(await share(() => afterAwait(() => pool.query('select 1')))).toEqual(allOwn());
  });

  it('an awaited transaction on a client of a pool reads its own key', async () => {
    const reads = await share(() => async (read) => {
      const client = await pool.connect();
      read();
      await client.query('begin');
      read();
      await client.query('commit');
      read();
      client.release();
    });
    expect(reads).toEqual(allOwn(3));
  });

  it('a callback of one shared client reads no key', async () => {
    const client = new pg.Client({ connectionString: server.url });
    const reads = await share(async () => {
      await client.connect();
      return inCallback((done) => client.query('select 1', done));
    });
    await client.end();
    expect(reads).toEqual(allMissing());
  });
});

describe('mysql2', () => {
  let server: MysqlServer;
  let pool: mysql.Pool;
  beforeAll(async () => {
    server = await startMysql();
  });
  beforeEach(() => {
    pool = mysql.createPool({ host: LOOPBACK, port: server.port, user: 'app', connectionLimit: 1 });
    return () => promisify(pool.end.bind(pool))();
  });
  afterAll(() => server.close());

  it('a callback of a pool reads no key', async () => {
    const reads = await share(() => inCallback((done) => void pool.query('select 1', done)));
    expect(reads).toEqual(allMissing());
  });

  it('an awaited query of a pool reads its own key', async () => {
    const promises = pool.promise();
    expect(await share(() => afterAwait(() => promises.query('select 1')))).toEqual(allOwn());
  });

  it('a callback of one shared connection reads no key', async () => {
    let connection: mysql.Connection | undefined;
    const reads = await share(() => {
      const shared = mysql.createConnection({ host: LOOPBACK, port: server.port, user: 'app' });
      connection = shared;
      return inCallback((done) => void shared.query('select 1', done));
    });
    connection?.destroy();
    expect(reads).toEqual(allMissing());
  });
});

describe.skipIf(!redisServerInstalled())('Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.close());

  it.each([false, true])(
    'ioredis, autopipelining %s: callbacks and awaited commands read their own key',
    async (enableAutoPipelining) => {
      let redis: Redis | undefined;
      const connect = () => {
        redis = new Redis(server.url, { enableAutoPipelining });
        return redis;
      };
      try {
        expect(
          await share(() => {
            const client = connect();
            return inCallback((done) => void client.get('key', done));
          }),
        ).toEqual(allOwn());
        redis?.disconnect();
        expect(
          await share(() => {
            const client = connect();
            return afterAwait(() => client.multi().get('key').get('other').exec());
          }),
        ).toEqual(allOwn());
      } finally {
        redis?.disconnect();
      }
    },
  );

  it('ioredis: a listener to a channel reads no key', async () => {
    const [subscriber, publisher] = [new Redis(server.url, { lazyConnect: true }), new Redis(server.url)];
    let messages = 0;
    const reads = await share(async () => {
      await subscriber.subscribe('channel');
      return async (read) => {
        messages += 1;
        const name = `message ${messages}`;
        const heard = new Promise<void>((resolve) => {
          subscriber.on('message', function listener(_channel, message) {
            if (message !== name) return;
            read();
            subscriber.off('message', listener);
            resolve();
          });
        });
        await publisher.publish('channel', name);
        await heard;
      };
    });
    subscriber.disconnect();
    publisher.disconnect();
    expect(reads).toEqual(allMissing());
  });

  it('redis: an awaited command reads its own key, and a listener to a channel reads none', async () => {
    const client = createClient({ url: server.url });
    const subscriber = createClient({ url: server.url });
    const commands = await share(async () => {
      await client.connect();
      return afterAwait(() => client.get('key'));
    });
    let messages = 0;
    const listeners = await share(async () => {
      await subscriber.connect();
      return async (read) => {
        messages += 1;
        const channel = `channel ${messages}`;
        const heard = Promise.withResolvers<void>();
        await subscriber.subscribe(channel, () => {
          read();
          heard.resolve();
        });
        await client.publish(channel, 'message');
        await heard.promise;
      };
    });
    client.destroy();
    subscriber.destroy();
    expect(commands).toEqual(allOwn());
    expect(listeners).toEqual(allMissing());
  });
});

/** Answers every request in two chunks, so that the answer does not arrive with its head. */
function answer(_request: unknown, response: Writable): void {
  response.write('one');
  setImmediate(() => response.end('two'));
}

/** TLS without certificates: both sides share a key. */
const TLS_OPTIONS = {
  ciphers: 'PSK-AES128-GCM-SHA256',
  maxVersion: 'TLSv1.2',
  checkServerIdentity: () => undefined,
} as const;
const preshared = Buffer.alloc(16, 7);
const TLS_SERVER = { ...TLS_OPTIONS, pskCallback: () => preshared };
const TLS_CLIENT = { ...TLS_OPTIONS, pskCallback: () => ({ psk: preshared, identity: 'test' }) };

describe.each(['http', 'https'] as const)('node:%s', (scheme) => {
  const server = scheme === 'http' ? http.createServer(answer) : https.createServer(TLS_SERVER, answer);
  let port = 0;
  const request = (agent: http.Agent | boolean, path = '/') =>
    scheme === 'http'
      ? http.request({ host: LOOPBACK, port, path, agent })
      : https.request({ host: LOOPBACK, port, path, agent, ...TLS_CLIENT });
  const newAgent = (options: http.AgentOptions) =>
    scheme === 'http' ? new http.Agent(options) : new https.Agent(options);
  beforeAll(async () => {
    port = await listen(server);
  });
  afterAll(() => closeServer(server));

  it.each([
    ['one kept connection', { keepAlive: true, maxSockets: 1 }],
    ['one connection at a time, each used once', { keepAlive: false, maxSockets: 1 }],
    ['kept connections', { keepAlive: true }],
    ['connections that are used once', { keepAlive: false }],
  ])('%s: all listeners of a request and its response read their own key', async (_name, options) => {
    const agent = newAgent(options);
    const reads = await share(() => (read) => {
      return new Promise<void>((resolve, reject) => {
        const outgoing = request(agent);
        outgoing.on('error', reject).once('socket', read).once('finish', read);
        outgoing.once('response', (response) => {
          read();
          response.once('data', read).once('end', read).once('close', read);
          response.once('close', resolve);
          response.resume();
        });
        outgoing.end();
      });
    });
    agent.destroy();
    expect(reads).toEqual(allOwn(6));
  });

  it('a listener to an error reads its own key', async () => {
    const closed = http.createServer();
    const closedPort = await listen(closed);
    await closeServer(closed);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const reads = await share(() => (read) => {
      return new Promise<void>((resolve) => {
        const outgoing = http.request({ host: LOOPBACK, port: closedPort, agent });
        outgoing.once('error', () => {
          read();
          resolve();
        });
        outgoing.end();
      });
    });
    expect(reads).toEqual(allOwn());
  });
});

it('an upgraded connection reads no key in its listeners', async () => {
  const server = http.createServer();
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  server.on('request', answer);
  const port = await listen(server);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let upgraded: net.Socket | undefined;
  const reads = await share(async () => {
    // The connection has been in the pool before, so Node has set its scope anew.
    const [first] = await once(http.get({ host: LOOPBACK, port, agent }), 'response');
    await once(first.resume(), 'close');
    const headers = { connection: 'Upgrade', upgrade: 'echo' };
    const outgoing = http.request({ host: LOOPBACK, port, agent, headers }).end();
    upgraded = await new Promise<net.Socket>((resolve) => {
      outgoing.once('upgrade', (_response, socket) => resolve(socket));
    });
    return echoOn(upgraded);
  });
  upgraded?.destroy();
  agent.destroy();
  await closeServer(server);
  expect(reads).toEqual(allMissing());
});

/** Writes a line and reads when it comes back. Lines come back in order. */
function echoOn(socket: net.Socket): Use {
  const waiting: (() => void)[] = [];
  socket.on('data', (chunk: Buffer) => {
    for (const _line of chunk.toString().matchAll(/\n/g)) waiting.shift()?.();
  });
  return (read) =>
    new Promise<void>((resolve) => {
      waiting.push(() => {
        read();
        resolve();
      });
      socket.write('line\n');
    });
}

describe.each(['net', 'tls'] as const)('a shared socket of node:%s', (module) => {
  const open = new Set<net.Socket>();
  const echo = (socket: net.Socket) => {
    open.add(socket);
    socket.on('error', () => undefined).pipe(socket);
  };
  const server = module === 'net' ? net.createServer(echo) : tls.createServer(TLS_SERVER, echo);
  let port = 0;
  const connect = () =>
    module === 'net' ? net.connect(port, LOOPBACK) : tls.connect({ host: LOOPBACK, port, ...TLS_CLIENT });
  beforeAll(async () => {
    port = await listen(server);
  });
  afterAll(async () => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, 'close');
  });

  it('reads no key in its listeners', async () => {
    let socket: net.Socket | undefined;
    const reads = await share(() => {
      socket = connect();
      return echoOn(socket);
    });
    socket?.destroy();
    expect(reads).toEqual(allMissing());
  });

  it('reads no key in the callbacks of writes that wait for another user’s write', async () => {
    let socket: net.Socket | undefined;
    const big = Buffer.alloc(1024 * 1024, 'x');
    const reads = await share(async () => {
      socket = connect().resume();
      await once(socket, module === 'net' ? 'connect' : 'secureConnect');
      const shared = socket;
      return inCallback((done) => void shared.write(big, done));
    });
    socket?.destroy();
    expect(reads).toEqual(allMissing());
  });

  it('reads no key in the callback of a buffer of its own', async () => {
    let socket: net.Socket | undefined;
    const waiting: (() => void)[] = [];
    const onread = {
      buffer: Buffer.alloc(1024),
      callback(size: number, buffer: Uint8Array) {
        for (const byte of buffer.subarray(0, size)) if (byte === 10) waiting.shift()?.();
        return true;
      },
    };
    const reads = await share(() => {
      const options = { host: LOOPBACK, port, onread };
      socket = module === 'net' ? net.connect(options) : tls.connect({ ...options, ...TLS_CLIENT });
      const shared = socket;
      return (read) =>
        new Promise<void>((resolve) => {
          waiting.push(() => {
            read();
            resolve();
          });
          shared.write('line\n');
        });
    });
    socket?.destroy();
    expect(reads).toEqual(allMissing());
  });
});

it('a session of node:http2 that both use reads no key in the listeners of its streams', async () => {
  const server = http2.createServer(answer);
  const port = await listen(server);
  let session: http2.ClientHttp2Session | undefined;
  const reads = await share(() => {
    session = http2.connect(`http://${LOOPBACK}:${port}`);
    const shared = session;
    return (read) =>
      new Promise<void>((resolve, reject) => {
        const stream = shared.request({ ':path': '/' });
        stream.once('response', read).once('data', read).once('end', read).once('close', resolve);
        stream.on('error', reject).resume();
      });
  });
  session?.close();
  server.close();
  await once(server, 'close');
  expect(reads).toEqual(allMissing(3));
});

it('a shared socket of node:dgram reads no key in its listeners', async () => {
  const server = createSocket('udp4').bind(0, LOOPBACK);
  await once(server, 'listening');
  server.on('message', (message, { port }) => server.send(message, port, LOOPBACK));
  let socket = server;
  let messages = 0;
  const reads = await share(async () => {
    socket = createSocket('udp4');
    socket.connect(server.address().port, LOOPBACK);
    await once(socket, 'connect');
    return (read) =>
      new Promise<void>((resolve) => {
        messages += 1;
        const name = `message ${messages}`;
        socket.on('message', function listener(message) {
          if (message.toString() !== name) return;
          read();
          socket.off('message', listener);
          resolve();
        });
        socket.send(name);
      });
  });
  socket.close();
  server.close();
  expect(reads).toEqual(allMissing());
});

describe('undici', () => {
  const server = http.createServer(answer);
  let pool: undici.Pool;
  let origin = '';
  beforeAll(async () => {
    origin = `http://${LOOPBACK}:${await listen(server)}`;
  });
  beforeEach(() => {
    pool = new undici.Pool(origin, { connections: 1 });
    return () => pool.destroy();
  });
  afterAll(() => closeServer(server));
  it('a callback of a dispatcher reads no key', async () => {
    const reads = await share(() =>
      inCallback((done) => {
        pool.dispatch(
          { method: 'GET', path: '/' },
          {
            onRequestStart() {},
            onResponseStart() {},
            onResponseData() {},
            onResponseEnd: () => done(),
            onResponseError: (_controller, error) => done(error),
          },
        );
      }),
    );
    expect(reads).toEqual(allMissing());
  });

  it('a callback of a request reads its own key', async () => {
    const reads = await share(() =>
      inCallback((done) => {
        pool.request({ method: 'GET', path: '/' }, (error, answered) => {
          answered?.body.dump();
          done(error);
        });
      }),
    );
    expect(reads).toEqual(allOwn());
  });

  it('an awaited request and each awaited chunk read their own key', async () => {
    const reads = await share(() => async (read) => {
      const { body } = await pool.request({ method: 'GET', path: '/' });
      read();
      await body.text();
      read();
    });
    expect(reads).toEqual(allOwn(2));
  });

  it('fetch reads its own key', async () => {
    const reads = await share(() => async (read) => {
      const response = await undici.fetch(origin, { dispatcher: pool });
      read();
      await response.text();
      read();
    });
    expect(reads).toEqual(allOwn(2));
  });

  it('the global fetch, and transforms of its body, read their own key', async () => {
    const reads = await share(() => async (read) => {
      const { body } = await fetch(origin);
      read();
      let isFirst = true;
      const transform = new TransformStream({
        transform() {
          if (isFirst) read();
          isFirst = false;
        },
        flush: read,
      });
      for await (const _chunk of body?.pipeThrough(transform) ?? []);
      read();
    });
    expect(reads).toEqual(allOwn(4));
  });
});
