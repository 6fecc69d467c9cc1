/** The callers: they send calls, check each answer, and time it. */
import { performance } from 'node:perf_hooks';
import { Agent } from 'undici';
import { EVENTS_PER_STREAM, MODELS, machineMs, sentAt } from './provider.ts';

export type Kind = keyof typeof MODELS;

/** Where the calls go, and the headers of the caller with this number. */
export type Destination = {
  readonly origin: string;
  readonly path: string;
  readonly headers: (caller: number) => Readonly<Record<string, string>>;
};

/** In milliseconds, one item a call, or one an event for `delays`. */
export type Timings = {
  readonly total: number[];
  readonly firstByte: number[];
  /** From the provider's write of an event to its arrival. Only for streams at a pace. */
  readonly delays: number[];
};

const BODIES = Object.fromEntries(
  Object.entries(MODELS).map(([kind, model]) => {
    const messages = [
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content: 'Write 150 words.' },
    ];
    const stream = kind === 'json' ? {} : { stream: true, stream_options: { include_usage: true } };
    return [kind, JSON.stringify({ model, messages, ...stream })];
  }),
);

/** Portkey announces the provider's keep-alive time as its own, and closes connections after five seconds. */
const agent = new Agent({ keepAliveTimeout: 4_000, keepAliveMaxTimeout: 4_000 });

/** Sends `calls` calls by `callers` callers, each of whom waits for an answer before the next call. */
export async function runCalls(
  { origin, path, headers }: Destination,
  kind: Kind,
  { callers, calls }: { readonly callers: number; readonly calls: number },
): Promise<Timings> {
  const timings: Timings = { total: [], firstByte: [], delays: [] };
  const body = BODIES[kind] ?? '';
  let left = calls;
  const call = async (caller: number) => {
    while (left-- > 0) {
      const answer = await callOnce(
        { origin, path, headers: { 'content-type': 'application/json', ...headers(caller) }, body },
        kind,
      );
      timings.total.push(answer.total);
      timings.firstByte.push(answer.firstByte);
      if (kind === 'paced') timings.delays.push(...answer.delays);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  return timings;
}

type Call = {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

function callOnce(call: Call, kind: Kind) {
  return new Promise<{ total: number; firstByte: number; delays: number[] }>((resolve, reject) => {
    const startedAt = performance.now();
    let firstByte = Number.NaN;
    let status = 0;
    let text = '';
    let readTo = 0;
    const delays: number[] = [];
    agent.dispatch(
      { ...call, method: 'POST' },
      {
        onRequestStart() {},
        onResponseStart(_controller, statusCode) {
          status = statusCode;
        },
        onResponseData(_controller, chunk) {
          if (text === '') firstByte = performance.now() - startedAt;
          text += chunk.toString('latin1');
          if (kind !== 'paced') return;
          const now = machineMs();
          for (let end = text.indexOf('\n\n', readTo); end !== -1; end = text.indexOf('\n\n', readTo)) {
            const sent = sentAt(text.slice(readTo, end));
            if (sent !== undefined) delays.push(now - sent);
            readTo = end + 2;
          }
        },
        onResponseEnd() {
          const total = performance.now() - startedAt;
          const failure = failureOf(status, text, kind);
          if (failure === undefined) resolve({ total, firstByte, delays });
          else reject(new Error(failure));
        },
        onResponseError(_controller, error) {
          reject(error);
        },
      },
    );
  });
}

/** A call that failed, or an answer that is not whole, ends the benchmark. */
function failureOf(status: number, text: string, kind: Kind): string | undefined {
  if (status !== 200) return `status ${status}: ${text.slice(0, 300)}`;
  const events =
    kind === 'json' ? 0 : text.split('\n\n').filter((event) => sentAt(event) !== undefined).length;
  const isWhole = kind === 'json' ? text.includes('"total_tokens":162') : events === EVENTS_PER_STREAM;
  return isWhole ? undefined : `an answer that is not whole: ${text.slice(0, 300)}`;
}
