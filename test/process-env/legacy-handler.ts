/**
 * A typical handler of the old system: it has no code for scopes, wrappers or users, and reads its key from the
 * environment wherever it needs it. Every read is recorded.
 */
import { EventEmitter, once } from 'node:events';
import { env } from 'node:process';
import { PassThrough, Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';

export type LegacyHandler = (request: Request) => Promise<Response>;

/**
 * Answers with a stream of the keys it has read, one per line. `call` makes an outgoing request.
 */
export function createLegacyHandler(call: () => Promise<Response>): LegacyHandler {
  return async (request) => {
    const reads: (string | undefined)[] = [];
    const read = () => void reads.push(process.env.OPENAI_API_KEY);

    read();
    await request.text();
    read();
    await nextTurn();
    read();
    await delay(Math.random() * 20);
    read();
    await readInCallbacks(read);
    await readInEmitter(read);
    await readInNodeStreams(read);
    await readInWebStreams(read);
    await Promise.all([delay(1).then(read), nextTurn().then(read), Promise.resolve().then(read)]);

    const answer = await call();
    read();
    for await (const _chunk of answer.body ?? []) read();
    reads.push(env.OPENAI_API_KEY);

    return new Response(linesOf(reads, read), { headers: { 'content-type': 'text/plain' } });
  };
}

/** The old pattern: the user's key is in the process environment during a request. */
export function withSaveSetRestore(
  handler: LegacyHandler,
  keyOf: (request: Request) => string,
): LegacyHandler {
  return async (request) => {
    const saved = process.env.OPENAI_API_KEY;
    process.env.OPENAI_API_KEY = keyOf(request);
    try {
      return await handler(request);
    } finally {
      if (saved === undefined) delete process.env.OPENAI_API_KEY;
      else process.env.OPENAI_API_KEY = saved;
    }
  };
}

async function readInCallbacks(read: () => void): Promise<void> {
  await new Promise<void>((resolve) => {
    process.nextTick(() => {
      read();
      queueMicrotask(() => {
        read();
        setTimeout(() => {
          read();
          setImmediate(() => {
            read();
            resolve();
          });
        }, Math.random() * 5);
      });
    });
  });
}

async function readInEmitter(read: () => void): Promise<void> {
  const emitter = new EventEmitter();
  emitter.on('step', read);
  setTimeout(() => emitter.emit('step'), 1);
  await once(emitter, 'step');
  read();
}

async function readInNodeStreams(read: () => void): Promise<void> {
  const source = Readable.from(['a', 'b', 'c']);
  const transform = new Transform({
    transform(chunk, _encoding, done) {
      read();
      setTimeout(done, 1, null, chunk);
    },
  });
  const sink = new PassThrough();
  sink.on('data', read).on('end', read);
  await pipeline(source, transform, sink);
}

async function readInWebStreams(read: () => void): Promise<void> {
  let left = 3;
  const source = new ReadableStream<string>({
    async pull(controller) {
      await nextTurn();
      read();
      if (left-- === 0) controller.close();
      else controller.enqueue('chunk');
    },
  });
  const transform = new TransformStream<string, string>({
    transform(chunk, controller) {
      read();
      controller.enqueue(chunk);
    },
  });
  for await (const _chunk of source.pipeThrough(transform)) read();
}

/** Keeps reading the key while the response is sent. */
function linesOf(reads: (string | undefined)[], read: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let rounds = 0;
  return new ReadableStream({
    async pull(controller) {
      await nextTurn();
      read();
      controller.enqueue(encoder.encode(`${reads.splice(0).join('\n')}\n`));
      rounds += 1;
      if (rounds === 3) controller.close();
    },
  });
}
