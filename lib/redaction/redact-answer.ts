/**
 * Takes the exact key out of a provider's success answer while it streams. Bytes are compared, so it does not matter how
 * the answer is cut into chunks. Only an end that may be the beginning of the key waits for the next chunk.
 */
import type { Answer } from '../outgoing/send.ts';
import { SendError } from '../outgoing/send.ts';
import type { Secret } from '../secret.ts';

/** Content that is no text. A key in it would not be readable as such, and it is often large. */
const BINARY =
  /^\s*(?:(?:image\/(?!svg)|audio\/|video\/|font\/|model\/)|application\/(?:octet-stream|pdf|zip|gzip|x-tar|wasm|x-protobuf|grpc)\b)/i;
/** What every runtime can decompress. */
const DECOMPRESSED = new Set(['gzip', 'x-gzip', 'deflate']);
const REPLACEMENT = '[key]';
const FILLER = '*';

/**
 * The answer without the key, unless its content type is binary. The key is replaced by a text of the same length, so
 * that `Content-Length` stays true. A compressed text, which was not requested, is decompressed.
 *
 * @throws SendError `unusable` for a compression that this runtime cannot undo.
 */
export async function redactAnswer(answer: Answer, key: Secret): Promise<Answer> {
  if (BINARY.test(answer.headers.get('content-type') ?? '')) return answer;
  const { status, headers, body } = await decompress(answer);
  return { status, headers, body: redactBody(body, key) };
}

async function decompress(answer: Answer): Promise<Answer> {
  const { status, body } = answer;
  const encoding = (answer.headers.get('content-encoding') ?? 'identity').toLowerCase();
  if (encoding === 'identity' || encoding === '') return answer;
  if (!DECOMPRESSED.has(encoding)) {
    await body.cancel();
    throw new SendError('unusable');
  }
  const headers = new Headers(answer.headers);
  headers.delete('content-encoding');
  headers.delete('content-length');
  const plain = new DecompressionStream(encoding === 'deflate' ? 'deflate' : 'gzip');
  return { status, headers, body: body.pipeThrough(copyChunks()).pipeThrough(plain) };
}

/** The decompressor does not accept a view of shared memory. */
function copyChunks(): TransformStream<Uint8Array, BufferSource> {
  return new TransformStream({
    transform: (chunk, controller) => controller.enqueue(new Uint8Array(chunk)),
  });
}

function redactBody(body: ReadableStream<Uint8Array>, key: Secret): ReadableStream<Uint8Array> {
  const redactor = createByteRedactor(key);
  const reader = body.getReader();
  return new ReadableStream(
    {
      async pull(controller) {
        for (;;) {
          const { done, value } = await reader.read();
          const bytes = done ? redactor.end() : redactor.push(value);
          if (bytes.length > 0) controller.enqueue(bytes);
          if (done) controller.close();
          if (done || bytes.length > 0) return;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

export type ByteRedactor = {
  /** The bytes that can be passed on now. A chunk without any part of the key is returned as it is. */
  push(chunk: Uint8Array): Uint8Array;
  /** The bytes that were held back. */
  end(): Uint8Array;
};

const NOTHING = new Uint8Array(0);

/** Removes the key, also as it is written in a JSON string or in a URL, from bytes that arrive in pieces. */
export function createByteRedactor(key: Secret): ByteRedactor {
  const needles = formsOf(key.reveal());
  let held: Uint8Array = NOTHING;
  return {
    push(chunk) {
      const bytes = replace(held.length === 0 ? chunk : concatenate(held, chunk), needles);
      const start = Math.min(...needles.map((needle) => startOfPart(bytes, needle)));
      held = bytes.subarray(start);
      return bytes.subarray(0, start);
    },
    end: () => held,
  };
}

function formsOf(key: string): readonly Uint8Array[] {
  const json = JSON.stringify(key).slice(1, -1);
  const forms = new Set([key, json, json.replaceAll('/', '\\/'), encodeURIComponent(key)]);
  return [...forms].map((form) => new TextEncoder().encode(form));
}

/** The same bytes if the needles are not in them, otherwise a copy without them. */
function replace(bytes: Uint8Array, needles: readonly Uint8Array[]): Uint8Array {
  let result = bytes;
  for (const needle of needles) {
    for (let at = find(result, needle, 0); at !== -1; at = find(result, needle, at + needle.length)) {
      if (result === bytes) result = bytes.slice();
      result.set(replacementFor(needle), at);
    }
  }
  return result;
}

function replacementFor({ length }: Uint8Array): Uint8Array {
  return new TextEncoder().encode(REPLACEMENT.padEnd(length, FILLER).slice(0, length));
}

/** Where a beginning of the needle begins that reaches to the end of the bytes, or the length of the bytes. */
function startOfPart(bytes: Uint8Array, needle: Uint8Array): number {
  const [first = 0] = needle;
  let start = bytes.indexOf(first, Math.max(0, bytes.length - needle.length + 1));
  while (start !== -1 && !beginsWith(bytes, start, needle)) start = bytes.indexOf(first, start + 1);
  return start === -1 ? bytes.length : start;
}

/** Whether the bytes from `start` to the end, or to the end of the needle, are the needle's. */
function beginsWith(bytes: Uint8Array, start: number, needle: Uint8Array): boolean {
  const length = Math.min(needle.length, bytes.length - start);
  for (let index = 0; index < length; index += 1) {
    if (bytes[start + index] !== needle[index]) return false;
  }
  return true;
}

/** Node's search is several times faster. The edge runtime has no `Buffer`. */
function find(bytes: Uint8Array, needle: Uint8Array, from: number): number {
  if (typeof Buffer !== 'undefined') {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(needle, from);
  }
  const [first = 0] = needle;
  let at = bytes.indexOf(first, from);
  while (at !== -1 && (at + needle.length > bytes.length || !beginsWith(bytes, at, needle))) {
    at = bytes.indexOf(first, at + 1);
  }
  return at;
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
