/** The callers: they send calls, check each answer, and time it. */
import { performance } from 'node:perf_hooks';
import { Agent } from 'undici';
import { EVENTS_PER_STREAM, MODELS, machineMs, sentAt } from './provider.ts';

/** Where the calls go, and the headers of each. */
export type Destination = {
  readonly origin: string;
  readonly path: string;
  /** Of the call with this number. */
  readonly headers: (call: number) => Readonly<Record<string, string>>;
};

/** `read`: a GET of this service's own. The others are calls of the provider. */
export type Kind = keyof typeof MODELS | 'read';

/** In milliseconds, one item a call, or one an event for `delays`. */
export type Timings = {
  readonly total: number[];
  readonly firstByte: number[];
  /** From the provider's write of an event to its arrival. Only for streams at a pace. */
  readonly delays: number[];
};

/** Portkey announces the provider's keep-alive time as its own, and closes connections after five seconds. */
const agent = new Agent({ keepAliveTimeout: 4_000, keepAliveMaxTimeout: 4_000 });

/**
 * Sends `calls` calls by `callers` callers, each of whom waits for an answer before the next call. A call that fails, or
 * an answer that is not whole, throws.
 */
export async function runCalls(
  destination: Destination,
  kind: Kind,
  { callers, calls }: { readonly callers: number; readonly calls: number },
): Promise<Timings> {
  const timings: Timings = { total: [], firstByte: [], delays: [] };
  let next = 0;
  const caller = async () => {
    for (let call = next++; call < calls; call = next++) await callOnce(destination, kind, call, timings);
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return timings;
}

function callOnce(
  { origin, path, headers }: Destination,
  kind: Kind,
  call: number,
  timings: Timings,
): Promise<void> {
  const content =
    kind === 'read'
      ? ({ method: 'GET', headers: headers(call) } as const)
      : ({
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers(call) },
          body: BODIES[kind],
        } as const);
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    let status = 0;
    let text = '';
    let readTo = 0;
    agent.dispatch(
      { origin, path, ...content },
      {
        onRequestStart() {},
        onResponseStart(_controller, statusCode) {
          status = statusCode;
        },
        onResponseData(_controller, chunk) {
          if (text === '') timings.firstByte.push(performance.now() - startedAt);
          text += chunk.toString('latin1');
          if (kind !== 'paced') return;
          const now = machineMs();
          for (let end = text.indexOf('\n\n', readTo); end !== -1; end = text.indexOf('\n\n', readTo)) {
            const sent = sentAt(text.slice(readTo, end));
            if (sent !== undefined) timings.delays.push(now - sent);
            readTo = end + 2;
          }
        },
        onResponseEnd() {
          timings.total.push(performance.now() - startedAt);
          if (status === 200 && isWhole(text, kind)) resolve();
          else reject(new Error(`${origin}${path}: status ${status}: ${text.slice(0, 300)}`));
        },
        onResponseError(_controller, error) {
          reject(error);
        },
      },
    );
  });
}

const MESSAGES = [
  { role: 'system', content: 'You are a helpful assistant.' },
  { role: 'user', content: 'Write 150 words.' },
];
const STREAMED = { stream: true, stream_options: { include_usage: true } };
const BODIES = {
  json: JSON.stringify({ model: MODELS.json, messages: MESSAGES }),
  burst: JSON.stringify({ model: MODELS.burst, messages: MESSAGES, ...STREAMED }),
  paced: JSON.stringify({ model: MODELS.paced, messages: MESSAGES, ...STREAMED }),
} as const;

function isWhole(text: string, kind: Kind): boolean {
  if (kind === 'read') return text.endsWith('}');
  if (kind === 'json') return text.includes('"total_tokens":162');
  return text.split('\n\n').filter((event) => sentAt(event) !== undefined).length === EVENTS_PER_STREAM;
}
