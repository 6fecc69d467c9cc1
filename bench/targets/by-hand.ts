/**
 * The whole job of the gateway, written as directly as it can be: verify the token, one KV request, open the key,
 * forward, one deferred KV write. It has none of the checks, limits, deadlines and redaction of the real one, so it
 * shows what the job costs at the least. It reads the same records as the real one.
 *
 *     by-hand.ts <port>
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen } from '../../dev/http/listen.ts';
import { deferWrite, forward, openKey, readRecord, verifyToken } from './by-hand-steps.ts';

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const sub = await verifyToken((request.headers.authorization ?? '').slice('Bearer '.length));
  const record = await readRecord(sub);
  const key = openKey(sub, record);
  const answer = await forward({
    path: (request.url ?? '').slice('/api/proxy/openai'.length),
    type: request.headers['content-type'] ?? '',
    body: request,
    key,
  });
  response.writeHead(answer.statusCode, { 'content-type': String(answer.headers['content-type']) });
  answer.body.pipe(response);
  answer.body.once('close', () => void deferWrite(sub, answer.statusCode).catch(() => undefined));
}

const server = createServer((request, response) => {
  handle(request, response).catch(() => response.destroy());
});
await listen(server, Number(process.argv[2]));
process.once('disconnect', () => process.exit());
