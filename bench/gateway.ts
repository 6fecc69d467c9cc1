/**
 * What a call through the gateway costs: CPU of the gateway's process for one call, 1 KB JSON answers, 32 callers.
 * Take the ratios against the bare pass-through by `fetch`, from the same run; the median of the rounds counts.
 *
 *     npm run bench
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import { providerOf, proxyCall } from '../lib/handlers/proxy.ts';
import { composeApp } from '../lib/compose.ts';
import { loadConfig } from '../lib/config.ts';
import { createEndpoint, route } from '../lib/http/endpoint.ts';
import { fetchSend } from '../lib/outgoing/fetch-send.ts';
import type { Send } from '../lib/outgoing/send.ts';
import { createUndiciSend } from '../lib/outgoing/undici-send.ts';
import { Secret } from '../lib/secret.ts';

const CALLERS = 32;
const CALLS_PER_ROUND = 2_000;
const ROUNDS = 5;

type Handler = (request: Request) => Promise<Response>;

const surroundings = fork(new URL('./gateway/surroundings.ts', import.meta.url));
const [message] = await once(surroundings, 'message');
const { env, token, provider } = z
  .object({ env: z.record(z.string(), z.string()), token: z.string(), provider: z.string() })
  .parse(message);

/** The request goes on as it is: no verification, no key. */
const bare =
  (send: Send): Handler =>
  async (request) => {
    const { status, headers, body } = await send({
      method: request.method,
      url: `${provider}/v1/models`,
      headers: { accept: 'application/json' },
      answerTimeoutMs: 10_000,
      idleTimeoutMs: 10_000,
    });
    return new Response(body, { status, headers });
  };

/** What calls write down after their answer; it belongs to what they cost. */
const late = new Set<Promise<unknown>>();

async function wholeJob(send: Send): Promise<Handler> {
  const config = loadConfig({ ...env, VERCEL_ENV: 'production' });
  const app = await composeApp(config, { send, after: (work) => void late.add(work) });
  const user = await app.authenticate(
    new Request('http://gateway/', { headers: { authorization: `Bearer ${token}` } }),
  );
  await app.keys.save(user, providerOf({ params: { provider: 'openai' } }), new Secret('sk-bench-key'));
  return createEndpoint(async () => app)('/api/proxy/:provider/*', {
    GET: route({}, async (call) => proxyCall(app, call)),
  }).GET;
}

/** CPU microseconds a call, the median of the rounds. */
async function measure(handler: Handler): Promise<number> {
  await round(handler, 500);
  const rounds: number[] = [];
  for (let index = 0; index < ROUNDS; index += 1) rounds.push(await round(handler, CALLS_PER_ROUND));
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN;
}

async function round(handler: Handler, calls: number): Promise<number> {
  const before = process.cpuUsage();
  let left = calls;
  const caller = async () => {
    while (left-- > 0) {
      const request = new Request('http://gateway/api/proxy/openai/v1/models', {
        headers: { authorization: `Bearer ${token}` },
      });
      const response = await handler(request);
      if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  await Promise.allSettled(late);
  late.clear();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

const undiciSend = createUndiciSend();
const contenders: readonly [string, Handler][] = [
  ['bare pass-through, fetch', bare(fetchSend)],
  ['bare pass-through, undici', bare(undiciSend)],
  ['verify, one KV request, open, forward: fetch', await wholeJob(fetchSend)],
  ['verify, one KV request, open, forward: undici', await wholeJob(undiciSend)],
];
console.log(`Node ${process.version}, CPU per call\n`);
let reference = Number.NaN;
for (const [what, handler] of contenders) {
  const microseconds = await measure(handler);
  reference = Number.isNaN(reference) ? microseconds : reference;
  const ratio = (microseconds / reference).toFixed(2);
  console.log(`${what.padEnd(48)}${microseconds.toFixed(0).padStart(7)} µs${ratio.padStart(7)}x`);
}
surroundings.disconnect();
await once(surroundings, 'exit');
