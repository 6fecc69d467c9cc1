/**
 * Measures what a call through the gateway costs: CPU of the gateway's process a call, 1 KB JSON answers, 32 callers.
 * Compare the ratios to the bare pass-through by `fetch` of the same run. The median of the rounds counts.
 *
 *     npm run bench
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import { composeApp, type Runtime } from '../lib/compose.ts';
import { loadConfig } from '../lib/config.ts';
import { createRouter } from '../lib/http/router.ts';
import { fetchSend } from '../lib/outgoing/fetch-send.ts';
import type { Send } from '../lib/outgoing/send.ts';
import { createUndiciSend } from '../lib/outgoing/undici-send.ts';
import { routes } from '../lib/routes.ts';
import { importMasterKey } from '../lib/vault/node-cipher.ts';

const CALLERS = 32;
const CALLS_PER_ROUND = 2_000;
const ROUNDS = 5;

type Handler = (request: Request) => Promise<Response>;

const fixtures = fork(new URL('./gateway/fixtures.ts', import.meta.url));
const [message] = await once(fixtures, 'message');
const { env, token, provider } = z
  .object({ env: z.record(z.string(), z.string()), token: z.string(), provider: z.string() })
  .parse(message);

/** Passes the request on: no verification, no key. */
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

/** What calls write after their answer. It is part of their cost. */
const deferred = new Set<Promise<unknown>>();

async function wholeJob(send: Send, runtime: Partial<Runtime>): Promise<Handler> {
  const config = loadConfig({ ...env, VERCEL_ENV: 'production' });
  const app = composeApp(config, { send, after: (work) => void deferred.add(work), ...runtime });
  const handle = createRouter(async () => app, routes, app.basePath);
  const saved = await handle(
    new Request('http://gateway/api/keys/openai', {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ key: 'sk-bench-key' }),
    }),
  );
  if (!saved.ok) throw new Error(`status ${saved.status}: ${await saved.text()}`);
  return handle;
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
  await Promise.allSettled(deferred);
  deferred.clear();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

const undiciSend = createUndiciSend();
const contenders: readonly [string, Handler][] = [
  ['bare pass-through, fetch', bare(fetchSend)],
  ['bare pass-through, undici', bare(undiciSend)],
  ['verify, KV, open, forward: fetch, WebCrypto', await wholeJob(fetchSend, {})],
  ['verify, KV, open, forward: undici, node:crypto', await wholeJob(undiciSend, { importMasterKey })],
];
console.log(`Node ${process.version}, CPU per call\n`);
let reference = Number.NaN;
for (const [what, handler] of contenders) {
  const microseconds = await measure(handler);
  reference = Number.isNaN(reference) ? microseconds : reference;
  const ratio = (microseconds / reference).toFixed(2);
  console.log(`${what.padEnd(48)}${microseconds.toFixed(0).padStart(7)} µs${ratio.padStart(7)}x`);
}
fixtures.disconnect();
await once(fixtures, 'exit');
