/** An emulated provider with the API of OpenAI: JSON answers, and streams in a burst or at a pace. */
import type { RequestListener, ServerResponse } from 'node:http';
import { readText } from './kv-front-end.ts';

/** Every key that this provider accepts begins with this. */
export const KEY_PREFIX = 'sk-bench-';
/** The model of a call says how it is answered. */
export const MODELS = { json: 'bench-json', burst: 'bench-burst', paced: 'bench-paced' } as const;
export const EVENTS_PER_STREAM = 100;
const PACE_MS = 5;

/** The clock of the machine, the same in every process. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export const providerListener: RequestListener = async (request, response) => {
  const body = await readText(request);
  const isAllowed = request.headers.authorization?.startsWith(`Bearer ${KEY_PREFIX}`) === true;
  if (!isAllowed) return response.writeHead(401, JSON_TYPE).end('{"error":{"code":"invalid_api_key"}}');
  if (body.includes(MODELS.burst)) return sendBurst(response);
  if (body.includes(MODELS.paced)) return sendAtPace(response);
  return response.writeHead(200, { ...JSON_TYPE, 'content-length': ANSWER.length }).end(ANSWER);
};

const JSON_TYPE = { 'content-type': 'application/json' };
const EVENT_TYPE = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };

/** 1 KB. */
const ANSWER = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: 1_750_000_000,
    model: 'gpt-5-mini',
    choices: [
      { index: 0, message: { role: 'assistant', content: 'word '.repeat(150) }, finish_reason: 'stop' },
    ],
    usage: { prompt_tokens: 12, completion_tokens: 150, total_tokens: 162 },
  }),
);

/** One event, with the time at which it was sent. */
function event(index: number): string {
  const choices = [{ index: 0, delta: { content: ` word${index}` }, finish_reason: null }];
  const members = { object: 'chat.completion.chunk', created: 1_750_000_000, model: 'gpt-5-mini', choices };
  return `data: ${JSON.stringify({ id: `chatcmpl-${machineMs().toFixed(3)}`, ...members })}\n\n`;
}

const SENT_AT = /"id":"chatcmpl-([\d.]+)"/;

/** When the provider sent this event, by `machineMs`. Undefined for an event without a time. */
export function sentAt(event: string): number | undefined {
  const [, text] = SENT_AT.exec(event) ?? [];
  return text === undefined ? undefined : Number(text);
}

const LAST_EVENTS =
  'data: {"id":"chatcmpl","object":"chat.completion.chunk","model":"gpt-5-mini","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":100,"total_tokens":112}}\n\ndata: [DONE]\n\n';

/** Without a pause, but each event in a write of its own, as providers send them. */
function sendBurst(response: ServerResponse): void {
  response.writeHead(200, EVENT_TYPE);
  let index = 0;
  const send = () => {
    if (index === EVENTS_PER_STREAM) return response.end(LAST_EVENTS);
    response.write(event(index));
    index += 1;
    return setImmediate(send);
  };
  send();
}

function sendAtPace(response: ServerResponse): void {
  response.writeHead(200, EVENT_TYPE);
  let index = 0;
  const timer = setInterval(() => {
    response.write(event(index));
    index += 1;
    if (index < EVENTS_PER_STREAM) return;
    clearInterval(timer);
    response.end(LAST_EVENTS);
  }, PACE_MS);
  response.on('close', () => clearInterval(timer));
}
