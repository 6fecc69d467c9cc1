/**
 * Measures how long one call can hold the event loop, per family of hostile input. The code that reads such input runs
 * in this process; bodies arrive in chunks of 64 KiB, one a turn of the loop, as from a socket. The longest turn of a run
 * counts, in CPU time of the thread, and of several runs the best one: other work on the machine does not count then.
 * The aim is below 50 ms.
 *
 *     npm run bench:loop
 */
import { isDeniedPath } from '../lib/gateway/denied-paths.ts';
import { requestHeaders } from '../lib/gateway/forwarded-headers.ts';
import { rewriteLinkMembers } from '../lib/gateway/link-rewriter.ts';
import { resolveTarget } from '../lib/gateway/target.ts';
import { generateBody } from '../lib/generate/generate-body.ts';
import { readRequestedModels } from '../lib/guards/requested-models.ts';
import { requireProvider } from '../lib/http/endpoint.ts';
import { readJson } from '../lib/http/json.ts';
import { MAX_PROMPT_BYTES, MAX_PROVIDER_ERROR_BYTES } from '../lib/limits.ts';
import { bodyOf, toStream } from '../lib/outgoing/body.ts';
import { limitAnswerBody } from '../lib/outgoing/provider-fetch.ts';
import type { Answer, Body } from '../lib/outgoing/send.ts';
import { catalogue } from '../lib/providers/catalogue.ts';
import { providerRefusal } from '../lib/providers/provider-refusal.ts';
import { redactAnswer } from '../lib/redaction/redact-answer.ts';
import { createRedactor } from '../lib/redaction/redactor.ts';
import { Secret } from '../lib/secret.ts';
import { meterAnswer } from '../lib/usage/meter.ts';

const RUNS = 3;
const CHUNK_BYTES = 64 * 1024;
const MEGABYTE = 1024 * 1024;
const HEADER_CHARACTERS = 15 * 1024;
const EVENTS = 'text/event-stream';

const key = new Secret(`sk-proj-${'Ab3-'.repeat(30)}`);
const longKey = new Secret('aB3-'.repeat(1_024));
const token = new Secret(`e30.${'x'.repeat(400)}.${'y'.repeat(86)}`);
const [firecrawl, gemini] = [requireProvider('firecrawl'), requireProvider('gemini')];

/** JSON texts of about this many characters that are slow to read in one way or another. */
const jsonFamilies = (length: number): Readonly<Record<string, () => string>> => ({
  'nested arrays': () => `{"_tokens":1,"model":"m","x":${'['.repeat(length / 2)}${']'.repeat(length / 2)}}`,
  'arrays never closed': () => `{"_tokens":1,"model":"m","x":${'['.repeat(length)}`,
  'nested objects': () =>
    `{"_tokens":1,"model":"m","x":${'{"a":'.repeat(length / 6)}1${'}'.repeat(length / 6)}}`,
  'empty arrays': () => `{"_tokens":1,"model":"m","x":[${'[],'.repeat(length / 3)}1]}`,
  numbers: () => `{"_tokens":1,"model":"m","x":[${'1,'.repeat(length / 2)}1]}`,
  'one long number': () => `{"_tokens":1,"model":"m","x":${'1'.repeat(length)}}`,
  'many names': () => `{"_tokens":1,"model":"m",${fill(length, (index) => `"k${index}":1,`)}"z":1}`,
  'names that end like models': () => `{"_tokens":1,"model":"m",${'"l":1,'.repeat(length / 6)}"z":1}`,
  'escaped names': () => `{"_tokens":1,"model":"m",${'"\\u006c":1,'.repeat(length / 11)}"z":1}`,
  'many models': () => `{"_tokens":1,${'"model":"m",'.repeat(length / 12)}"z":1}`,
  'escaped quotes': () => `{"_tokens":1,"model":"m","x":"${'\\"'.repeat(length / 2)}"}`,
  'unicode escapes': () => `{"_tokens":1,"model":"m","x":"${'\\u0041'.repeat(length / 6)}"}`,
  'one long string': () => `{"_tokens":1,"model":"m","x":"${'a'.repeat(length)}"}`,
  'white space': () => `{"_tokens":1,${' '.repeat(length)}"model":"m"}`,
  'line breaks': () => `{"_tokens":1,${'\n'.repeat(length)}"model":"m"}`,
  'many texts': () => `{"model":"m","_tokens":1}\n`.repeat(length / 26),
  'many texts that are not JSON': () => '"model":"_tokens"\n'.repeat(length / 18),
  'many members of counts': () => `{"a":[${'{"usage":{"_tokens":1}},'.repeat(length / 24)}1]}`,
  'an array cut off': () => `[${'{"usage":{"_tokens":1}},'.repeat(length / 24)}`,
});

function fill(length: number, write: (index: number) => string): string {
  const parts: string[] = [];
  for (let size = 0; size < length; size += parts.at(-1)?.length ?? 1) parts.push(write(parts.length));
  return parts.join('');
}

/** The bytes, in chunks, one a turn of the loop. */
function stream(text: string): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        await new Promise((resolve) => setImmediate(resolve));
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.subarray(at, at + CHUNK_BYTES));
        at += CHUNK_BYTES;
      },
    },
    { highWaterMark: 0 },
  );
}

/** Only the time between two chunks is of interest. */
async function drain(body: Body | undefined): Promise<void> {
  while ((await body?.read()) !== undefined);
}

const answer = (text: string, type: string, status = 200): Answer => ({
  status,
  headers: new Headers({ 'content-type': type }),
  body: bodyOf(stream(text)),
});

async function meter(text: string, type: string): Promise<void> {
  const metered = meterAnswer(answer(text, type));
  await drain(metered?.answer.body);
  await metered?.metered;
}

function post(text: string, headers = {}): Request {
  const init: RequestInit & { duplex: 'half' } = {
    method: 'POST',
    headers,
    body: stream(text),
    duplex: 'half',
  };
  return new Request('http://x/', init);
}

async function restricted(text: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const request = post(text, headers);
  const { models } = await readRequestedModels(request, '/v1/chat/completions', undefined);
  models?.every((model) => ['a', 'b', 'm'].includes(model));
}

async function ownBody(text: string): Promise<void> {
  const request = post(text);
  await readJson(request, generateBody, MAX_PROMPT_BYTES).catch(() => undefined);
}

/** What the AI SDK does with a JSON answer, which is to read and parse it. */
async function generated(text: string): Promise<void> {
  const body = limitAnswerBody(answer(text, 'application/json'));
  await new Response(toStream(body)).json().catch(() => undefined);
}

const nearKey = key.reveal().slice(0, 9);
const errorTexts: Readonly<Record<string, () => string>> = {
  'beginnings of the key': () => `${nearKey} `.repeat(MAX_PROVIDER_ERROR_BYTES / 10),
  'pieces of nine characters': () =>
    fill(MAX_PROVIDER_ERROR_BYTES, (at) => `${key.reveal().slice(at % 99, (at % 99) + 9)}!`),
  'the key itself': () => key.reveal().repeat(MAX_PROVIDER_ERROR_BYTES / 128),
  masks: () => '*a'.repeat(MAX_PROVIDER_ERROR_BYTES / 2),
  'masks beside pieces': () => `${nearKey}***`.repeat(MAX_PROVIDER_ERROR_BYTES / 12),
  'ending phrases': () => 'ending in Ab3 '.repeat(MAX_PROVIDER_ERROR_BYTES / 14),
  'escapes of escapes': () => '%25%32%35'.repeat(MAX_PROVIDER_ERROR_BYTES / 9),
  'unicode escapes': () => '\\u0041'.repeat(MAX_PROVIDER_ERROR_BYTES / 6),
  'nested arrays': () => '['.repeat(MAX_PROVIDER_ERROR_BYTES),
};

type Run = () => unknown;
/** A family's input is made when its turn comes, so that the garbage of one does not slow down another. */
type Family = readonly [name: string, prepare: () => Run];

function perText(
  what: string,
  texts: Readonly<Record<string, () => string>>,
  use: (text: string) => unknown,
): readonly Family[] {
  return Object.entries(texts).map(([name, write]) => [
    `${what}: ${name}`,
    () => {
      const text = write();
      return () => use(text);
    },
  ]);
}

const links: Readonly<Record<string, () => string>> = {
  'many links': () => '{"next":"https://api.firecrawl.dev/a"},'.repeat(1e5),
  'many empty links': () => '{"next":""},'.repeat(3e5),
  'links of 64 KB': () => `{"next":"https://api.firecrawl.dev/${'a'.repeat(65_000)}"},`.repeat(60),
  'links of 64 KB of slashes': () => `{"next":"${'/'.repeat(65_000)}"},`.repeat(60),
  'names with escapes': () => '{"n\\u0065xt":1},'.repeat(2.5e5),
};
const withKeys: Readonly<Record<string, () => string>> = {
  'no key': () => 'x'.repeat(4 * MEGABYTE),
  'beginnings of the key': () => key.reveal().slice(0, 100).repeat(4e4),
  keys: () => key.reveal().repeat(3e4),
};
const queries: Readonly<Record<string, () => string>> = {
  'many parameters': () => `?${'a&'.repeat(HEADER_CHARACTERS / 2)}`,
  'encoded percent signs': () => `?${'%25'.repeat(HEADER_CHARACTERS / 3)}`,
  'one long parameter': () => `?a=${'b'.repeat(HEADER_CHARACTERS)}`,
};
const headerTexts: Readonly<Record<string, () => string>> = {
  'encoded percent signs': () => '%2525'.repeat(HEADER_CHARACTERS / 5),
  'one long value': () => 'b'.repeat(HEADER_CHARACTERS),
};
const paths: Readonly<Record<string, () => string>> = Object.fromEntries(
  ['/v1', '/users', '/%2575sers', '/accounts', '/a%2Fb', '/;'].map((segment) => [
    segment,
    () => segment.repeat(8_192 / segment.length),
  ]),
);

function resolve(search: string): void {
  const request = new Request(`http://x/api/proxy/gemini/v1${search}`);
  const app = { basePath: '/api', config: { baseUrls: new Map() } };
  resolveTarget({ app, request, rest: '/v1' }, gemini, token);
}

/** Each text as the data of one event. */
function inEvents(texts: Readonly<Record<string, () => string>>): Readonly<Record<string, () => string>> {
  const names = Object.entries(texts);
  return Object.fromEntries(
    names.map(([name, write]) => [name, () => `data: ${write().replaceAll('\n', ' ')}\n\n`]),
  );
}

const families: readonly Family[] = [
  ...perText('restricted body, 4.4 MB', jsonFamilies(4.4 * MEGABYTE), restricted),
  ...perText('own body, 1 MB', jsonFamilies(0.99 * MEGABYTE), ownBody),
  ...perText('metered JSON, 1 MB', jsonFamilies(0.99 * MEGABYTE), (text) => meter(text, 'application/json')),
  ...perText('metered lines, 1 MB', jsonFamilies(0.99 * MEGABYTE), (text) =>
    meter(text, 'application/x-ndjson'),
  ),
  ...perText('metered JSON, 4 MB', jsonFamilies(3.9 * MEGABYTE), (text) => meter(text, 'application/json')),
  ...perText('metered event, 4 MB', inEvents(jsonFamilies(3.9 * MEGABYTE)), (text) => meter(text, EVENTS)),
  ...perText('answer to the AI SDK, 4 MB', jsonFamilies(3.9 * MEGABYTE), generated),
  ...perText(
    'metered events, 4 MB',
    {
      'small ones': () => 'data: {"_tokens":1}\n\n'.repeat(2e5),
      'not JSON': () => 'data: _tokens"\n\n'.repeat(2.5e5),
      'blank lines': () => '\n'.repeat(4 * MEGABYTE),
      'one of many lines': () => `data: {"_tokens":1\n${'data:\n'.repeat(6e5)}data: }\n\n`,
    },
    (text) => meter(text, EVENTS),
  ),
  ...perText('error, 64 KB', errorTexts, async (text) => (await createRedactor(key))(text)),
  ...perText('error, 64 KB, longest key', errorTexts, async (text) => (await createRedactor(longKey))(text)),
  ...perText('error of our own routes, 64 KB', errorTexts, async (text) =>
    providerRefusal(400, JSON.stringify({ message: text }), await createRedactor(key)),
  ),
  ...perText('links, 4 MB', links, (text) =>
    drain(
      rewriteLinkMembers(bodyOf(stream(text)), firecrawl, {
        base: firecrawl.origin,
        gateway: 'https://g.example',
      }),
    ),
  ),
  ...perText('success answer, 4 MB', withKeys, async (text) =>
    drain((await redactAnswer(answer(text, 'text/plain'), key)).body),
  ),
  ...perText('query, 15 KB', queries, resolve),
  ...perText('header, 15 KB', headerTexts, (text) => requestHeaders(new Headers({ accept: text }), token)),
  ...perText('path, 8 KB, at every provider', paths, (path) =>
    catalogue.map((provider) => isDeniedPath(provider, '/v1/x', path)),
  ),
];

/** The longest turn of the event loop while this runs, in milliseconds of CPU time. */
async function longestTurn(run: Run): Promise<number> {
  let isOver = false;
  let longest = 0;
  await new Promise((done) => setImmediate(done));
  let last = cpuMs();
  const tick = () => {
    const now = cpuMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(tick);
  };
  setImmediate(tick);
  await run();
  isOver = true;
  await new Promise((done) => setImmediate(done));
  return longest;
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

const only = process.argv[2] ?? '';
const chosen = families.filter(([name]) => name.includes(only));
console.log(`Node ${process.version}, longest turn of the event loop, best of ${RUNS} runs\n`);
let worst = 0;
for (const [name, prepare] of chosen) {
  const run = prepare();
  let best = Number.POSITIVE_INFINITY;
  for (let index = 0; index < RUNS; index += 1) best = Math.min(best, await longestTurn(run));
  worst = Math.max(worst, best);
  console.log(`${best.toFixed(1).padStart(8)} ms  ${name}`);
}
console.log(`\n${worst.toFixed(1).padStart(8)} ms  the worst of ${chosen.length}`);
