/**
 * The Upstash REST protocol in front of a redis-server, as thin as it can be: one pipeline in, its replies out. It
 * checks the bearer token and nothing else. `dev/kv` is the complete one; it costs more time than it should here.
 */
import type { IncomingMessage, Server } from 'node:http';
import { createServer } from 'node:http';
import { createClient } from 'redis';

type Result = { readonly result: unknown } | { readonly error: string };

/** What has passed so far. The bytes are those of the bodies. */
export type KvTotals = { requests: number; commands: number; bytesIn: number; bytesOut: number };

/** A server that is not listening yet. It ends with its process. */
export async function createKvFrontEnd(
  redisUrl: string,
  token: string,
): Promise<{ readonly server: Server; readonly totals: KvTotals }> {
  const totals: KvTotals = { requests: 0, commands: 0, bytesIn: 0, bytesOut: 0 };
  const redis = createClient({ url: redisUrl, RESP: 2 });
  redis.on('error', () => undefined);
  await redis.connect();

  const run = (command: readonly unknown[]): Promise<Result> =>
    redis.sendCommand(command.map(String)).then(
      (result) => ({ result }),
      (error) => ({ error: error instanceof Error ? error.message : String(error) }),
    );

  const server = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
    if (request.headers.authorization !== `Bearer ${token}`) return response.writeHead(401).end('{}');
    const sent = await readText(request);
    const body: unknown = JSON.parse(sent);
    if (!Array.isArray(body)) return response.writeHead(400).end('{}');
    const isPipeline = request.url === '/pipeline' || request.url === '/multi-exec';
    const results = isPipeline ? await Promise.all(body.map(run)) : await run(body);
    const text = JSON.stringify(results);
    totals.requests += 1;
    totals.commands += isPipeline ? body.length : 1;
    totals.bytesIn += sent.length;
    totals.bytesOut += text.length;
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    });
    return response.end(text);
  });
  return { server, totals };
}

/** Without the async iterator of streams, which costs more than everything else here. */
export function readText(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks).toString()));
    request.on('error', reject);
  });
}
